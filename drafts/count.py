import torch; torch.set_num_threads(1)
from tutorial_lib.notebook.samples import trained
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.scores import logits
d=fashion_mnist('test'); x,t=d.images[1000:],d.targets[1000:]
r={k:torch.stack([logits(m,x).argmax(1)==t for m in trained('fashion_'+k)]) for k in ('natural','gradient','linf','l2')}
for ks in (('natural','l2'),('natural','linf'),('natural','linf','l2'),('natural','gradient','linf','l2'),('natural','gradient')):
    a=torch.cat([r[k] for k in ks]).all(0); print(ks,[int((a&(t==c)).sum()) for c in range(10)])
for s in range(5):
    a=torch.stack([r[k][s] for k in r]).all(0); print(s,[int((a&(t==c)).sum()) for c in range(10)])
