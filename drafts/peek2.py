import json,statistics as st
from scipy.stats import spearmanr
D=[];A=[]
for i in range(18):
    try: a=json.load(open(f'/tmp/x/parts15/ladder_of_models/attack_{i}.json'))['values']
    except FileNotFoundError: break
    if i<15:
        d=json.load(open(f'/tmp/x/parts15/ladder_of_models/distance_{i}.json')); D.append(st.median(d['values']['l2'])); A.append(st.mean(a['attacked']))
        print(d['settings']['networks'][i],round(D[-1],2),round(A[-1],3),round(st.mean(a['random']),3))
    else: print(i,round(st.mean(a['attacked']),3))
print(spearmanr(D,A))
