"""New wording of settings in the finished parts."""
import json,glob,sys
sys.path.insert(0,'/work/w6')
from pathlib import Path
from experiments import ladder_of_models, robust_maps
for name,mod in (('ladder_of_models',ladder_of_models),('robust_maps',robust_maps)):
    for key,q in mod.quantities(Path('/tmp/p')).items():
        for f in glob.glob(f'/tmp/x/parts15/{name}/{key}_*.json'):
            d=json.load(open(f)); v=d['settings']['versions']
            new={**q.all_settings(),'versions':v}
            if new!=d['settings']:
                d['settings']=new; json.dump(d,open(f,'w')); print('patched',f)
