import re,time
src=open('/tmp/x/c15/head.md').read()
code=[c for c in re.findall(r"```\{code-cell\} ipython3\n(.*?)```",src,re.S)]
ns={}
exec(re.sub(r"^:tags.*$","",code[1],flags=re.M).replace("from tutorial_lib.notebook.panels import crossings, small_multiples","from tutorial_lib.notebook.panels import small_multiples"),ns)
globals().update(ns)
import torch; torch.set_num_threads(1)
t0=time.process_time()
x,t=clothes.images,clothes.targets
def maps(models,x,t): return torch.stack([input_gradient(m,x,t) for m in models])
grads={k:maps(v,x,t) for k,v in nets.items()}
print('grads',time.process_time()-t0)
def stacked(f,*a): return torch.stack([f(*z) for z in zip(*a)])
cos={k:stacked(lambda g:cosine(x,g),g) for k,g in grads.items()}
for k,c in cos.items(): print(k,c.mean(), roughness(grads[k].flatten(0,1)[:,0]).mean())
for like in ('l2','linf','gradient'):
    f=stacked(lambda a,b: cosine(x,filtered_like(a,b)),grads['natural'],grads[like])
    r=stacked(lambda a,b: cosine(x,with_amplitudes(a,alignment.amplitudes(b))),grads['natural'],grads[like])
    n=stacked(lambda b: cosine(x,random_of_spectrum(b,generator=seven())),grads[like])
    print(like,'filtered',f.mean(),'reshaped',r.mean(),'random',n.mean())
    print('   left', between(cos[like]-f))
print('edge',cosine(x,edge_filter(None,x,t)).mean())
for k in nets:
    b=[randomised(m,"",generator=seven()) for m in nets[k]]
    print('blank',k,stacked(lambda m:cosine(x,input_gradient(m,x,t)),b).mean())
for k in ('gradient','linf','l2'): print(k,between(cos[k]-cos['natural']))
print('t',time.process_time()-t0)
sx,st,mask=shapes.images,shapes.targets,dilated(shapes.masks)
sg={k:maps(v,sx,st) for k,v in shape_nets.items()}
heat={k:stacked(lambda g:max_over_colour(g.abs()),g) for k,g in sg.items()}
acc=lambda h: stacked(lambda a:rank_accuracy(a,mask),h)
for k,h in heat.items(): print(k,acc(h).mean(),stacked(roughness,h).mean(), [round(v,3) for v in acc(h).mean(1).tolist()])
fm=stacked(filtered_like,heat['natural'],heat['l2'])
fg=stacked(lambda a,b:max_over_colour(filtered_like(a,b).abs()),sg['natural'],sg['l2'])
rs=stacked(lambda a,b:with_amplitudes(a,alignment.amplitudes(b)),heat['natural'],heat['l2'])
rn=stacked(lambda b:random_of_spectrum(b,generator=seven()),heat['l2'])
for n,h in dict(filteredmap=fm,filteredgrad=fg,reshaped=rs,random=rn).items(): print(n,acc(h).mean(),stacked(roughness,h).mean())
print('edge',rank_accuracy(sum_over_colour(edge_filter(None,sx,st)),mask).mean(), 'area',mask.float().mean())
for k in shape_nets:
    b=[randomised(m,"",generator=seven()) for m in shape_nets[k]]
    print('blank',k,acc(stacked(lambda m:max_over_colour(saliency(m,sx,st)),b)).mean())
print('gain',between(acc(heat['l2'])-acc(heat['natural'])),'left',between(acc(heat['l2'])-acc(fm)),between(acc(heat['l2'])-acc(fg)))
scos={k:stacked(lambda g:cosine(sx,g),g) for k,g in sg.items()}
print('shapes cos',{k:v.mean() for k,v in scos.items()})
print('t',time.process_time()-t0)
