import sys,glob; sys.path.insert(0,'/work/w6')
import torch; torch.set_num_threads(1)
from pathlib import Path
from tutorial_lib.notebook.results import read_result
from experiments.runner import joined
from experiments.robust_maps import quantities
from tutorial_lib.evaluation.statistics import crossed
Q=quantities(Path('/tmp/p'))
for w in ('fashion','shapes'):
    fs=sorted(glob.glob(f'/tmp/x/parts15/robust_maps/twins {w}_*.json'))
    if len(fs)<2: continue
    v=Q[f'twins {w}'].finish(joined([read_result(Path(f)).values for f in fs],torch.stack))
    for k,e in v.items():
        print(w,k,len(fs),'gain',e['gain'].double().mean().item()/1e4,[round(float(x),3) for x in e['gain'].double().mean(1)/1e4],'start',e['start'].mean().item())
        print({n:round(float(g.mean()),3) for n,g in e['mean gain'].items()})
    print(crossed((v['l2']['gain']-v['natural']['gain'])/1e4,level=.99,generator=torch.Generator().manual_seed(7)))
