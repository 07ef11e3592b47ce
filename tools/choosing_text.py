"""What book/choosing.md says around its questions and its table."""

TEXT = """\
---
html_theme.sidebar_secondary.remove: true
---
# Choosing a method

There is no best method. There are methods that cannot do what you need, and this page helps to find out which
ones. Answer what you can; each answer is a requirement on something that this book has measured. What is left
stands below with the numbers behind it, what fell out with the reason. Sometimes nothing is left, and that is
an answer too.

{form}

The methods stand in the order of the {{doc}}`method_cards`, family by family. The order says nothing about
their worth, and neither does the length of the list. A requirement is met only if it was *shown*: an interval
across the line is undecided, and what was not measured was not shown. Intervals are of 99 %. Garments
(Fashion-MNIST) and planted shapes are the book's two worlds of many images and five networks each; on your
network the numbers will be others. What a random map has stands in brackets. It meets some of the
requirements too: they rule out, they do not recommend.

{table}

(in-place-of-a-map)=
## In place of a map

If nothing is left, look again at which answer you could give up. If it is none of them, these need no map:

- **Is the model right?** Count its errors, class by class, on images in which the cue that you suspect has
  been swapped, moved or painted over. In chapter {{doc}}`../chapters/01_introduction` this convicts the
  network that the accuracy had acquitted, and in {{doc}}`../chapters/17_frontiers` it proves a repair.
- **Is the set-up sound?** `explain_report` of chapter {{doc}}`../chapters/16_best_practices` looks at a model
  and a dozen images and puts its warnings into words.
- **What does it use?** Change the thing itself, hold the rest still, and watch the score: planted shapes with
  swapped backgrounds, in chapter {{doc}}`../chapters/09_fidelity_and_stability`, say how much of the score is
  owed to the shape.
- **May somebody have tampered with the image?** Then no map measured here holds. Chapter
  {{doc}}`../chapters/13_attribution_attacks` shows what does: two methods of different families seldom fall
  together, a network trained against attacks costs the attacker more, and answers can be tested where maps
  cannot be trusted.
- **Is there no baseline, and must the values add up?** A difference needs two ends. Ask for a rate, which
  needs no baseline, or for a comparison with an image that you can name.

## What each answer asks for

These are the lines. Where the {{doc}}`protocol` or a registered rule draws one, it is taken from there.

{lines}
"""

FORM = """\
<form id='choosing-form' aria-label='What do you need?' hidden>
{groups}
<p class='choosing-end'><button type='reset'>Start again</button> The address of this page keeps your
answers.</p>
<output aria-live='polite'></output>
<div id='choosing-one' class='choosing-note' hidden><p>One method is left. <strong>One map alone is no
evidence.</strong> Look at what its row names beside it, and test what the map shows by changing the
image.</p></div>
<div id='choosing-right' class='choosing-note' hidden><p><strong>None.</strong> A map shows what an answer
rests on, if it shows that. It does not know what the answer should rest on. To the eye, a faithful map of a
wrong model and a wrong map of a sound model can be one picture
(<a href='../chapters/12_limitations.html#whose-error-is-it'>whose error is it?</a>). What can be done in its
place stands under <a href='#in-place-of-a-map'>In place of a map</a>.</p></div>
<div id='choosing-none' class='choosing-note' hidden><p><strong>None</strong> of these methods has been shown
to meet all that you ask. If you give up one answer, this is left:</p><ul></ul><p>What can be done without a
map stands under <a href='#in-place-of-a-map'>In place of a map</a>.</p></div>
</form>
"""
