def sub(name,pairs):
    s=open(name).read()
    for a,b in pairs:
        assert s.count(a)==1,(name,a,s.count(a))
        s=s.replace(a,b)
    open(name,'w').write(s)
