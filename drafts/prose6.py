from prose_sub import sub
sub('body2.md',[("The removal curves of chapter {doc}`08_removal` ask the model in another way (C106): remove","Removal curves, the subject of chapter 08, ask the model in another way (C106): remove")])
sub('body3.md',[
("READ-REMAINS","""One doubt is gone: the robust maps do not owe their looks to smoothness, for what they gain in alignment and in place is there at an equal spectrum, and on the shapes at equal accuracy. What the gain *means* is narrower than the popular sentence; part of it is brightness, it is not the same in $\\ell_2$ and $\\ell_\\infty$, and whether the maps tell more about their model depends on how one asks. If neither a pleasant look nor a single score decides, what should a person do who has to explain a model next week? That is the question of the next part.

:::{admonition} "Robust models give better explanations": what holds
:class: important

*In these worlds*, the gradients of networks that are robust in $\\ell_2$ lie more on the object, point more along the image and lie closer to its manifold than those of natural networks, beyond what their spectrum explains. Among fifteen networks, those farther from their boundaries are the better aligned, however they became robust. For $\\ell_\\infty$ the alignment with the image is higher, that with what is peculiar to it is lower, and the distance to the manifold is larger. None of these measures asks the model. Those that do are the two cards on removal and on added maps, and they have to be read with their normalisation.
:::"""),
("READ-KEY","""- For a linear model through the origin the alignment of image and gradient is the distance to the boundary; for networks of ReLUs without biases it is the distance to the tangent plane's boundary. In general $\\langle\\mathbf x,\\mathbf g\\rangle$ says how the score answers to brightness.
- Before a pleasant map is credited to the network, give the plain map its spectrum, and a random map too. Here neither reaches the robust one.
- The edge filter, which knows no network, is better aligned with the image than any network. Alignment is a property of a map, not a proof of an explanation.
- $\\ell_2$ and $\\ell_\\infty$ training make different maps. A sentence about "adversarially trained networks" needs the norm.
- A score that adds the map to the image, or takes pixels away, measures the map *and* how calm the model is. The normalisation decides.
- Explanations in the sense of logic are the smallest sets that break every counterexample. Where single changes can flip the answer, no explanation is short."""),
])
