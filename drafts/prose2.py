from prose_sub import sub
sub('body2.md',[
("READ-OTHERS","""Half of the alignment of the $\\ell_2$ maps, 0.204 of 0.424, is there with garments of other classes. And once we look only at what is peculiar to the image, the table changes its order. The natural networks jump from 0.031 to 0.204: their gradients *are* aligned with this difference, and by cosine nearly as well as the others. The gain of $\\ell_2$ shrinks from 0.392 to 0.094. The $\\ell_\\infty$ networks, which C105 has counted as better aligned, are now *less* aligned than the natural ones, with an interval that leaves no doubt.

Why does the mean matter so much? Because of the derivative from before. $\\langle\\mathbf x, \\mathbf g\\rangle$ asks whether the score rises when the whole image is made brighter. Natural networks have learned that brightness tells nothing about the class; for them the share of the mean and the share of the peculiar cancel. In a robust network they do not. A good part of "the map is aligned with the image" is "the score depends on brightness". That is a fact about the model, and a true one; it is not what the eye believes to see."""),
])
sub('body3.md',[
("READ-C109","""The claim holds for $\\ell_2$, by both measures and beyond what the spectrum explains. It does not hold for "adversarially trained networks" at large: for $\\ell_\\infty$ the same quantity is above zero by both measures, so these gradients lie *farther* from the manifold than the natural ones. The rule reads $\\ell_2$ alone. (The autoencoder is a small one; it explains 0.77 of the variance of the test images.)"""),
("READ-REMAINS","READ-REMAINS"),
])
