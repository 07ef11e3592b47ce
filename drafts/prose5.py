from prose_sub import sub
sub('body2.md',[
('''rows = {kind: [i for i, name in enumerate(names) if name.split()[0] == kind] for kind in kinds}
''','''rows = {kind: sorted((i for i, name in enumerate(names) if name.split()[0] == kind),
                     key=lambda i: float(names[i].split()[1])) for kind in kinds}
'''),
('''          for title, i in (("images, natural", names.index("decay 0")), ("images, l2 1.5", names.index("l2 1.5")))}
''','''          for title, i in (("200 images, decay 0", names.index("decay 0")),
                           ("200 images, l2 1.5", names.index("l2 1.5")))}
'''),
])
sub('body3.md',[
('''print("attacked, lowest to highest: " + ", ".join(f"{names[i]} {stays[i]:.2f}" for i in stays.argsort()))
''','''for kind, i in rows.items():
    print(f"{kind:9} weak to strong: distance " + ", ".join(f"{v:.2f}" for v in distance[i])
          + "; top pixels that stay " + ", ".join(f"{v:.2f}" for v in stays[i]))
'''),
])
