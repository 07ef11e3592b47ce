def sub(name,pairs):
    s=open(name).read()
    for a,b in pairs:
        assert s.count(a)==1,(name,a,s.count(a))
        s=s.replace(a,b)
    open(name,'w').write(s)
sub('head.md',[("import SEEDS, fashion_sample, nearly_balanced, shapes_sample, trained","import (\n    another_class,\n    fashion_sample,\n    nearly_balanced,\n    shapes_sample,\n    trained,\n)"),
("from itertools import combinations, product","from itertools import product")])
sub('body1.md',[
("Column 6 is the ordinary network's map, smoothed until it is exactly as smooth as that of the $\\ell_2$-robust network. Column 7 has that smoothness too, and random content.","Column 6 is the ordinary network's map after a filter that gives it, at each fineness, the power that the $\\ell_2$-robust maps have. Column 7 has that smoothness too, and random content."),
("READ-FIG1","""In {numref}`fig-robust-maps` the fifth column needs no caption: trousers, sneaker and boot are there, outlined in one colour. The two columns on the right are as smooth and show nothing of the kind, so smoothness alone is not what pleases us. The surprise stands in the fourth column and in the last print. The maps of the $\\ell_\\infty$-robust networks are *not* smooth. They are single pixels on the outline, with a roughness of 1.29 where the natural ones have 0.70. The $\\ell_2$ maps have 0.60, which is hardly less than the natural networks of this small architecture have anyway. "Robust maps are smoother" is a sentence about one norm, and a small effect here."""),
("""Now the networks. The registered quantities""","""What does it measure in a network? The product $\\langle\\mathbf x,\\mathbf g\\rangle$ is a derivative: the rate at which the score changes when the *whole image* is made brighter, $\\frac{d}{dt}S_c(t\\,\\mathbf x)$ at $t=1$. In a network of ReLUs without biases the score is proportional to the brightness, so $\\langle\\mathbf x,\\mathbf g\\rangle$ is the score itself, and for the margin $m$ the alignment becomes $|m|/\\|\\nabla m\\|$: the distance at which a tangent plane would meet the boundary. There the tie between map and robustness is exact again, as far as the tangent can be trusted. Biases loosen it.

```{code-cell} ipython3
free = load("fashion_no_bias_100")
slope = input_gradient(Margin(free), x, target)
tangent = class_score(Margin(free), x, target).abs() / slope.flatten(1).norm(dim=1)
law("without biases, alignment is the distance to the tangent's boundary",
    torch.allclose(alignment.alignment(x, slope), tangent, rtol=1e-3))
reached = smallest_perturbation(free, x[:32], target[:32], norm="l2", largest=8.0, generator=seven())
print(f"that distance, median {tangent[:32].median():.2f}; what an attack needs {reached.median():.2f}")
```

Now the networks of the zoo. The registered quantities"""),
("""for kind, value in hits.items():
    print(f"shapes, {kind:8} rank accuracy {value.mean():.3f}")
""","""for kind, value in hits.items():
    right = sum(cards()[f"shapes_{kind}_{s}"]["no mark"]["value"] for s in range(100, 105)) / 5
    print(f"shapes, {kind:8} rank accuracy {value.mean():.3f} (answers right {right:.3f})")
"""),
("READ-C105","""The claim holds in its three parts, and by a wide margin in two of them. Accuracy cannot be the reason on the shapes, where both twins are right in nearly every case; nor does an attack have to be involved, since the networks with a gradient penalty are as accurate as the natural ones and have a cosine of 0.174 against 0.031. One reading was left to us: the cosine is taken without its sign, as in equation {eq}`eq-alignment`."""),
("READ-FIG2","""{numref}`fig-robust-spectra` says more precisely what the roughness said. The $\\ell_2$ maps have most of their power in the constant wave, which is the mean of the map; beyond six cycles they have no less than the natural ones. The $\\ell_\\infty$ maps have as much at the finest waves as single pixels must have."""),
("Robust maps are smooth, at least those of $\\ell_2$. A smooth map lies more easily on a compact object, and correlates more easily with a smooth picture. So before anyone credits the *network*, a map has to be tried that owes its smoothness to nothing but a filter.","On the shapes the robust maps *are* smoother, and elsewhere others have found them so. A smooth map lies more easily on a compact object, and correlates more easily with a smooth picture. So before anyone credits the *network*, a map has to be tried that owes its smoothness to nothing but a filter."),
("READ-CONTROLS","""Each line ends with the interval of what is left for the robust map once the control has had its chance. None of them comes near zero. Filtering the natural map to the robust spectrum gives nearly nothing: 0.040 of 0.424 for the cosine in $\\ell_2$, and 0.574 against 0.738 on the shape. Even the generous control, with the robust amplitudes of the same image, leaves most of the gain. So the answer to the second half of the chapter's question is no: here, the robust maps are *not* merely smoother. ({numref}`fig-robust-controls` draws the table.)

Two other lines are less comfortable. A random map with the $\\ell_2$ spectrum has a cosine of 0.164, five times that of the natural network, and as high as the $\\ell_\\infty$ maps' own. And the edge filter has 0.553."""),
])
sub('body2.md',[
("how well is the map aligned with *another* image, and how much is left when the mean image is taken out of both?","how well is the map aligned with an image of *another* class, and how well with what is peculiar to its own image, the difference from the mean garment?"),
("""others = clothes.images.roll(1, 0)
for kind, g in grads.items():
    print(f"{titles[kind]:18} with its own image {cos[kind].mean():.3f}, with another "
          f"{each_seed(lambda m: cosine(others, m), g).mean():.3f}, own less the mean image "
          f"{each_seed(lambda m: cosine(x - mean_image, m), g).mean():.3f}".replace("\\n", " "))
""","""others, peculiar = x[another_class(target)], {}
for kind, g in grads.items():
    peculiar[kind] = each_seed(lambda m: cosine(x - mean_image, m), g)
    print(f"{kind:9} cosine with its own image {cos[kind].mean():.3f}, with one of another class "
          f"{each_seed(lambda m: cosine(others, m), g).mean():.3f}, with own less mean "
          f"{peculiar[kind].mean():.3f}")
for kind in ("gradient", "linf", "l2"):
    more = between(peculiar[kind] - peculiar["natural"])
    print(f"with own less mean, {kind} less natural {more.value:.3f} [{more.lo:.3f}, {more.hi:.3f}]")
"""),
("READ-OTHERS","READ-OTHERS"),
("We made them before the run. The map","We made them before the judging run. The map"),
("READ-C156","""By the registered rule the doubt stands: on both worlds the robust networks are not more explainable in this sense, and on Fashion-MNIST far less. But look at the controls before you believe the size of it. The natural networks react strongly to *everything*; the same values at random places move their logit by 0.164 of its size, and those of the $\\ell_2$ networks by 0.019. If each network is measured by how it reacts to its own shuffled map, the order turns round: 3.78 against 2.65 on Fashion-MNIST, 9.07 against 4.85 on the shapes. Adding a map to an image is an attack with a map, and a robust network is one that resists attacks. The score cannot tell a bad map from a calm model; whoever normalises decides."""),
("The explanation $b\\,c$ needs both of its members: $b$ breaks the first counterexample and $c$ the second; the third it breaks twice. Leave out $c$, and the second column is no longer broken: what is left of the explanation allows an input that gets a no.","The explanation $b\\,c$, in the last row, needs both of its members: $c$ breaks the first counterexample and $b$ the second; the third is broken twice. Leave out $b$, and the second column is no longer broken: what is left allows the input $a\\,\\neg b\\,c$, which gets a no."),
("READ-DUAL","""The farther the nearest attack, the shorter the explanation: 3.36 features where one change suffices, 2.54 where it takes two. In this small world robustness does buy something for the explanation, and what it buys is *length*. That is a statement that can be proved, and it is another one than that the map looks like the object. (Inputs that no change of one feature can move are rare in random functions; the last lines rest on few.)"""),
])
sub('body3.md',[
("READ-CASE","""The alignment would have done harm: the suspect's maps are *better* aligned with their images, 0.024 against 0.009, than those of the honest network. The bare map would have caught it, with its largest value on the mark in 57 of 60 images, and smoothing it hides little, 53 remain. What a map looks like is no evidence on what the model reads; where its largest value lies was."""),
("""def nearer(name):
    \"\"\"Residual beyond the control, l2 less natural, relative to the natural residual.\"\"\"
    beyond = {kind: off[name, kind][0] - off[name, kind][1] for kind in ("l2", "natural")}
    return between((beyond["l2"] - beyond["natural"]) / off[name, "natural"][0].mean())
""","""def nearer(name, robust="l2"):
    \"\"\"Residual beyond the control, robust less natural, relative to the natural residual.\"\"\"
    beyond = {kind: off[name, kind][0] - off[name, kind][1] for kind in (robust, "natural")}
    return between((beyond[robust] - beyond["natural"]) / off[name, "natural"][0].mean())

for name in ("PCA", "autoencoder"):
    other = nearer(name, "linf")
    print(f"{name}: the same for l∞ {other.value:.3f} [{other.lo:.3f}, {other.hi:.3f}]")
"""),
("READ-C109","READ-C109"),
("READ-C107","""The robust networks listen more to the coarse garment, the $\\ell_2$ ones most (0.90 against 0.69), which is the direction of the sentence. It is also what any training would do that makes fine waves useless."""),
("READ-C112","""Parity has the most counterexamples of the four, and every one of its explanations has to name all five features. If the number of counterexamples measured interpretability, parity would win. The charitable reading is the theorem above: an explanation is worth something *because* it breaks every counterexample."""),
])
