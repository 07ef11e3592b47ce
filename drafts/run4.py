import re,sys,time,io,contextlib
sys.path.insert(0,'/work/w6')
import torch; torch.set_num_threads(1)
txt=open('/tmp/x/c15/head.md').read()+open('/tmp/x/c15/body1.md').read()+open('/tmp/x/c15/body2.md').read()+open('/tmp/x/c15/body3.md').read()
cells=re.findall(r"```\{code-cell\} ipython3\n(.*?)```",txt,re.S)
from pathlib import Path
ns={}
import tutorial_lib.notebook.results as R
import os
from matplotlib.figure import Figure
n=0
for i,c in enumerate(cells):
    c=re.sub(r"^---\n.*?\n---\n","",c,flags=re.S); c=re.sub(r"^:tags.*$","",c,flags=re.M)
    if i==0 or i>1 and not any(w in c for w in ('twins = ','C106','norms','C110','wide = ','C02')): continue
    # last expression
    import ast
    tree=ast.parse(c); last=None
    if tree.body and isinstance(tree.body[-1],ast.Expr):
        last=ast.Expression(tree.body.pop().value)
    t=time.process_time()
    try:
        exec(compile(tree,f'cell{i}','exec'),ns)
        v=eval(compile(last,f'cell{i}','eval'),ns) if last else None
        if isinstance(v,Figure):
            n+=1; v.savefig(f'/tmp/x/c15/fig{n}.png',dpi=110); print('FIG',n)
        elif v is not None: print(repr(v)[:600])
    except Exception as e:
        print('!!',i,type(e).__name__,str(e)[:200])
    dt=time.process_time()-t
    if dt>1: print(f'   [{i}: {dt:.1f}s]')
