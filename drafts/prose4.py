from prose_sub import sub
sub('body2.md',[
("The first images are computed again here, on three of the networks.","The first images are computed again here, on two of the networks."),
('''each = spearman_over_images(torch.stack([far["l2"], far["cosine, logit"]], -1))
''','''def given(a, b, c):
    """Rank correlation of a and b over the networks, and the same for networks of equal c."""
    ranks = torch.stack([mean_ranks(v[None].double())[0] for v in (a, b, c)])
    ab, ac, bc = (torch.corrcoef(ranks)[i, j].item() for i, j in ((0, 1), (0, 2), (1, 2)))
    return ab, (ab - ac * bc) / ((1 - ac**2) * (1 - bc**2)) ** 0.5

equal = given(medians["l2"], medians["cosine, logit"], far["clean accuracy"])[1]
print(f"distance and cosine at equal clean accuracy: {equal:.2f}")
each = spearman_over_images(torch.stack([far["l2"], far["cosine, logit"]], -1))
'''),
("Second, the fifteen differ in accuracy as well, and the robust ones are the less accurate.","Second, the fifteen differ in accuracy as well, and the robust ones are the less accurate; at equal accuracy the correlation is EQUAL."),
])
sub('body1.md',[("(Of this last kind there is one network, so it appears in the pictures and in no interval.)","(Of this last kind there is one network, so it enters no interval.)")])
sub('body3.md',[
('''ranks = [mean_ranks(v[None].double())[0] for v in (distance, stays, far["clean accuracy"])]
a, b, c = (torch.corrcoef(torch.stack(ranks))[i, j].item() for i, j in ((0, 1), (0, 2), (1, 2)))
partial = (a - b * c) / ((1 - b**2) * (1 - c**2)) ** 0.5
''','''coupled, at_equal_accuracy = given(distance, stays, far["clean accuracy"])
'''),
('print(f"rank correlation {a:.2f}, given the clean accuracy {partial:.2f}")','print(f"rank correlation {coupled:.2f}, at equal clean accuracy {at_equal_accuracy:.2f}")'),
('claim("C113").judge(rho=fisher(a, n=15, level=0.95))','claim("C113").judge(rho=fisher(coupled, n=15, level=0.95))'),
])
