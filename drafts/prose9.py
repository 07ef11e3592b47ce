from prose_sub import sub
sub('body2.md',[('''              f"(highest first {low:.3f}, lowest first {high:.3f}); mean probability {found['start'].mean():.2f}")
''','''              f"(MoRF {low:.3f}, LeRF {high:.3f}); mean probability {found['start'].mean():.2f}")
'''),
('''        low, high = (sum(v.mean() for k, v in table.items() if k.startswith(order)) / 4
                     for order in ("morf", "lerf"))
''','''        low, high = (sum(v.mean() for k, v in table.items() if k.startswith(order)) / 4
                     for order in ("morf", "lerf"))
        fills = {fill: sum(v.mean() for k, v in table.items() if k.endswith(fill)) / 2
                 for fill in ("black", "mean", "random", "imputed")}
'''),
('''mean probability {found['start'].mean():.2f}")
''','''mean probability {found['start'].mean():.2f}")
        print("           by fill: " + ", ".join(f"{fill} {v:.3f}" for fill, v in fills.items()))
'''),
])
sub('body3.md',[('''    smooth = filtered_like(raw, robust_like)
    print(f"{name}: cosine {cosine(case.images, g).mean():.3f}; largest value on the mark in "
          f"{peak_hits(raw, case.marks).sum()} of 60 maps, filtered {peak_hits(smooth, case.marks).sum()}; "
          f"share on it {mass_share(raw, case.marks).mean():.3f}, {mass_share(smooth, case.marks).mean():.3f}")
''','''    both = [(peak_hits(h, case.marks).sum(), mass_share(h, case.marks).mean())
            for h in (raw, filtered_like(raw, robust_like))]
    print(f"{name}: cosine {cosine(case.images, g).mean():.3f}; largest value on the mark in "
          f"{both[0][0]} of 60 maps, filtered {both[1][0]}; share on it {both[0][1]:.3f}, {both[1][1]:.3f}")
'''),
('''rest = x.flatten(1) - decode(encode(x)).detach()
print(f"autoencoder: {1 - rest.var() / (x.flatten(1) - train.images.flatten(1).mean(0)).var():.2f} of the variance")
''','''rest, whole = (x - decode(encode(x)).detach().view_as(x)).var(), (x - mean_image).var()
print(f"autoencoder: {1 - rest / whole:.2f} of the variance explained")
'''),
('''off = {(name, kind): (each_seed(lambda m: residual(m, directions), g),
                      each_seed(lambda m: residual(noise_like(m), directions), g))
       for name, directions in (("PCA", flat), ("autoencoder", curved)) for kind, g in grads.items()}
''','''
def residuals(directions, maps):
    """Of the gradients, and of random vectors with their spectra."""
    return (each_seed(lambda m: residual(m, directions), maps),
            each_seed(lambda m: residual(noise_like(m), directions), maps))

off = {(name, kind): residuals(directions, g) for kind, g in grads.items()
       for name, directions in (("PCA", flat), ("autoencoder", curved))}
'''),
('''    print(f"{name:15} {len(yes):2} explanations of yes, mean length {length:.1f}; {len(no):2} counterexamples")
''','''    print(f"{name:15} {len(yes):2} explanations, mean length {length:.1f}; {len(no):2} counterexamples")
'''),
])
