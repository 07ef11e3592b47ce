import json,glob,statistics as st
from scipy.stats import spearmanr
names=None; D=[];C=[];A=[]
for i in range(15):
    try: d=json.load(open(f'/tmp/x/parts15/ladder_of_models/distance_{i}.json'))
    except FileNotFoundError: break
    v=d['values']; n=d['settings']['networks'][i]
    m={k:st.median(x) for k,x in v.items() if isinstance(x,list)}
    print(f"{n:16} acc {v['clean accuracy']:.3f} l2 {m['l2']:.3f} cosl {m['cosine, logit']:.3f} cosm {m['cosine, margin']:.3f} al {m['alignment, logit']:.2f} tan {m['margin over gradient']:.2f} within {spearmanr(v['l2'],v['cosine, logit'])[0]:.2f} {spearmanr(v['l2'],v['cosine, margin'])[0]:.2f}")
    D.append(m['l2']);C.append(m['cosine, logit'])
print(spearmanr(D,C)); import collections
print(len(set(v['test image'])))
