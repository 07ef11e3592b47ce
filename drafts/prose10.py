from prose_sub import sub
sub('body2.md',[
("READ-C106","""Undecided, and for a reason that is worth more than the verdict. On the shapes the robust maps gain more, 0.228 against 0.180, with an interval that narrowly fails to be conclusive. On Fashion-MNIST they gain less, 0.072 against 0.156, and there the interval is clear. But look at the line of the fills. With black, the robust maps are far ahead on Fashion-MNIST; with grey, noise and imputation they are behind. A network that has never seen grey on black backgrounds reacts to it in its own way, and a robust one in another. The paper's sentence says that maps *may* improve; one fill in one world says yes, its neighbour no. (On the robust networks of Fashion-MNIST the randomised control is weak: with random weights of their kind most units are dead, and its order is partly a lottery.)

So of three ways to ask the model, none says that the robust map explains its network better *and* keeps saying so when a defensible setting is changed."""),
])
