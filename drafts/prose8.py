from prose_sub import sub
sub('body2.md',[("(0.119 against 0.358)","(0.119 against 0.357)"),("at equal accuracy the correlation is EQUAL.","at equal accuracy the correlation is 0.78."),
])
sub('head.md',[("from tutorial_lib.robustness.attacks import smallest_perturbation\n","from tutorial_lib.robustness.attacks import smallest_perturbation\nfrom tutorial_lib.robustness.attribution_attacks import softplus_twin\n")])
sub('body3.md',[
('''for beta, k in zip((5, 10, 30), kept[15:]):
    print(f"softplus twin of the natural network, β = {beta}: {k:.2f}")
''','''for beta, k in zip((5, 10, 30), kept[15:]):
    twin = softplus_twin(nets["natural"][0], beta=beta)
    near = smallest_perturbation(twin, x64[:40], t64[:40], norm="l2", largest=8.0, generator=seven())
    print(f"softplus twin of the natural network, β = {beta}: stay {k:.2f}, distance {near.median():.2f}")
'''),
("READ-C113","""Undecided: a correlation of 0.54 whose interval begins near zero and ends above 0.8. The list says why. *Inside* a training the two go together: stronger noise, stronger decay, a larger $\\epsilon$ make both the model and its map harder to move (the gradient penalty is flat). *Between* trainings they do not. A network with weight decay loses to the attack about as much of its map as an $\\ell_2$ network that is three times as far from its boundary. At equal accuracy nothing of the correlation is left. And the twins show that the two can come apart altogether: replace the ReLUs of the natural network by soft ones, without any training, and its map holds as well as that of the strongest $\\ell_2$ network (0.62 against 0.60), while the distance to the boundary is still that of a natural network. "Tightly coupled" is too strong here; "often bought together" would do."""),
])
