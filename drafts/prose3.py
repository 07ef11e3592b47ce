from prose_sub import sub
sub('body2.md',[
("READ-C108","""The claim holds, both ways round, and more cleanly than the cited abstract promised: over the fifteen medians the rank correlation is 0.94, and in each single network the images farther from the boundary tend to have the better aligned maps. No attack is needed for it. Noise, weight decay and the gradient penalty climb the same slope in {numref}`fig-robust-ladder` as the adversarial trainings, at little or no cost in accuracy for the first steps. So on the question of this section the evidence is with {cite:t}`etmann2019connection`: it is robustness, and not the attack.

Three qualifications belong to it. The strongest $\\ell_\\infty$ network falls out of its own line: farther from its boundary than its weaker sibling (1.95 against 1.66), with a third of its cosine (0.119 against 0.358). (It also had twenty epochs where the sibling had five.) Second, the fifteen differ in accuracy as well, and the robust ones are the less accurate. Third, the cosine is what the last section has shown it to be: in part a matter of brightness."""),
("Two years after the tutorial, five authors, two of them of the tutorial, did {cite:p}`nielsen2023evalattai`.","Two years after the tutorial four of its five authors, with a fifth, did {cite:p}`nielsen2023evalattai`."),
])
