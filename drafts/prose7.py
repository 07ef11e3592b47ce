from prose_sub import sub
sub('body2.md',[
('''each = spearman_over_images(torch.stack([far["l2"], far["cosine, logit"]], -1))
plain = spearman_over_images(torch.stack([far["l2"], far["alignment, logit"]], -1))
''','''each, plain = far["within"]["cosine, logit"], far["within"]["alignment, logit"]
'''),
])
sub('body3.md',[
('''hit = {name: value.double().mean(1) / 78 for name, value in ladder.values["attack"].items()}
distance, stays = medians["l2"], hit["attacked"][:15]
''','''hit = ladder.values["attack"]
kept = hit["attacked"].double().mean(1) / 78
distance, stays = medians["l2"], kept[:15]
'''),
('''for beta, k in zip((5, 10, 30), hit["attacked"][15:]):
''','''for beta, k in zip((5, 10, 30), kept[15:]):
'''),
])
