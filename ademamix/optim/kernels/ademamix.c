/* One AdEMAMix update (Algorithm 1 of arXiv 2409.03137) of many tensors, in one pass over memory.
 *
 * Elements are independent: nothing here depends on the number of threads or on how parameters are split
 * into tensors. The arithmetic is fp32 whatever the storage; sums are written as steps towards the new
 * value, m + (1 - beta) * (g - m), with 1 - beta rounded once from double. Compile without contraction of
 * a * b + c, so that vector code and its scalar remainder round alike.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct {
    double lr, beta1, beta2, beta3, alpha, eps, weight_decay;
    int64_t step;     /* t, from 1 */
    int32_t maximize; /* climb instead */
} Scalars;

typedef struct {
    float lr, decay, fast, slow, square, alpha, eps, fast_scale, root_scale, sign;
} Factors;

static Factors factors(const Scalars *s) {
    Factors f;
    f.lr = (float)s->lr;
    f.decay = (float)(s->lr * s->weight_decay);
    f.fast = (float)(1 - s->beta1);
    f.slow = (float)(1 - s->beta3);
    f.square = (float)(1 - s->beta2);
    f.alpha = (float)s->alpha;
    f.eps = (float)s->eps;
    f.fast_scale = (float)(1 / (1 - pow(s->beta1, (double)s->step)));
    f.root_scale = (float)(1 / sqrt(1 - pow(s->beta2, (double)s->step)));
    f.sign = s->maximize ? -1.0f : 1.0f;
    return f;
}

/* 32 bits that look random, a function of the counter alone ("lowbias32"). rounding.py and triton.py
 * have the same. */
static inline uint32_t mix(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    x ^= x >> 16;
    return x;
}

static inline float from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, 4);
    return y;
}

static inline uint16_t to_bf16(float x) { /* to nearest, ties to even; NaN stays NaN */
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint32_t up = bits + 0x7fffU + ((bits >> 16) & 1U);
    return (uint16_t)((x != x ? bits | 0x400000U : up) >> 16);
}

/* To one of the two neighbours, up with the probability that makes the mean right. `random`: 16 bits. */
static inline uint16_t to_bf16_randomly(float x, uint32_t random) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint32_t finite = (bits & 0x7f800000U) != 0x7f800000U;
    uint32_t up = finite ? bits + random : (x != x ? bits | 0x400000U : bits);
    return (uint16_t)(up >> 16);
}

/* Storage of one tensor; unused pointers are null. bf16 as uint16_t. */
typedef struct {
    void *p, *m1, *m2, *nu;
    float *master; /* fp32 copy of a bf16 parameter */
    int64_t numel;
    uint64_t key; /* of the random bits (32 of them); see rounding.py */
} Tensor;

/* Elements [begin, end) of one tensor. The flags are constants where this is called, so each call becomes
 * a loop of its own, which the compiler vectorises. */
static inline __attribute__((always_inline)) void update(const Tensor *t, const void *grads, int64_t begin,
                                                         int64_t end, const Factors f, const int bf16_p,
                                                         const int bf16_s, const int has_m1,
                                                         const int has_master) {
    float *restrict p = t->p, *restrict m1 = t->m1, *restrict m2 = t->m2, *restrict nu = t->nu;
    const float *restrict g = grads;
    uint16_t *restrict p16 = t->p, *restrict m1_16 = t->m1, *restrict m2_16 = t->m2, *restrict nu_16 = t->nu;
    const uint16_t *restrict g16 = grads;
    float *restrict master = t->master;
    const uint32_t key = (uint32_t)t->key;
    for (int64_t i = begin; i < end; i++) {
        const float grad = f.sign * (bf16_p ? from_bf16(g16[i]) : g[i]);
        const float theta = has_master ? master[i] : bf16_p ? from_bf16(p16[i]) : p[i];
        float slow = bf16_s ? from_bf16(m2_16[i]) : m2[i];
        float square = bf16_s ? from_bf16(nu_16[i]) : nu[i];
        float fast = grad;
        if (has_m1) {
            const float old = bf16_s ? from_bf16(m1_16[i]) : m1[i];
            fast = old + f.fast * (grad - old);
            if (bf16_s)
                m1_16[i] = to_bf16(fast);
            else
                m1[i] = fast;
        }
        slow += f.slow * (grad - slow);
        square += (f.square * grad) * grad - f.square * square; /* a large grad * grad may overflow */
        const uint32_t random = (bf16_s || (bf16_p && !has_master)) ? mix((uint32_t)i ^ key) : 0;
        if (bf16_s) {
            m2_16[i] = to_bf16_randomly(slow, random & 0xffffU);
            nu_16[i] = to_bf16_randomly(square, random >> 16);
        } else {
            m2[i] = slow;
            nu[i] = square;
        }
        const float step = (fast * (has_m1 ? f.fast_scale : 1.0f) + f.alpha * slow) / (sqrtf(square) * f.root_scale + f.eps);
        const float next = theta - (f.lr * step + f.decay * theta);
        if (has_master) {
            master[i] = next;
            p16[i] = to_bf16(next);
        } else if (bf16_p) {
            p16[i] = to_bf16_randomly(next, mix(random) & 0xffffU);
        } else {
            p[i] = next;
        }
    }
}

static void dispatch(const Tensor *t, const void *g, int64_t begin, int64_t end, const Factors f, int bf16_p,
                     int bf16_s) {
    const int m1 = t->m1 != 0, master = t->master != 0;
#define CASE(P, S, M, W)                                            \
    if (bf16_p == P && bf16_s == S && m1 == M && master == W) {     \
        update(t, g, begin, end, f, P, S, M, W);                    \
        return;                                                     \
    }
    CASE(0, 0, 1, 0) CASE(0, 0, 0, 0) CASE(0, 1, 1, 0) CASE(0, 1, 0, 0)
    CASE(1, 0, 1, 0) CASE(1, 0, 0, 0) CASE(1, 1, 1, 0) CASE(1, 1, 0, 0)
    CASE(1, 0, 1, 1) CASE(1, 0, 0, 1) CASE(1, 1, 1, 1) CASE(1, 1, 0, 1)
}

/* The part of all tensors, laid end to end, that worker `rank` of `workers` updates. Parts begin at
 * multiples of 64 elements of the whole, so that neighbours seldom share a cache line. */
static void part(const Tensor *tensors, void *const *grads, int64_t count, const Factors f, int bf16_p,
                 int bf16_s, int rank, int workers) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) total += tensors[i].numel;
    int64_t share = ((total + workers - 1) / workers + 63) / 64 * 64;
    int64_t begin = share * rank, end = begin + share, offset = 0;
    for (int64_t i = 0; i < count && offset < end; i++) {
        int64_t from = begin > offset ? begin - offset : 0, n = tensors[i].numel;
        int64_t to = end - offset < n ? end - offset : n;
        if (from < to) dispatch(&tensors[i], grads[i], from, to, f, bf16_p, bf16_s);
        offset += n;
    }
}

/* Count a step of all tensors, if all stand at `before`: otherwise nothing is changed, and the result is 0. */
int ademamix_count(float *const *steps, int64_t count, int64_t before) {
    for (int64_t i = 0; i < count; i++)
        if (*steps[i] != (float)before) return 0;
    for (int64_t i = 0; i < count; i++) *steps[i] = (float)(before + 1);
    return 1;
}

void ademamix_update(const Tensor *tensors, void *const *grads, int64_t count, const Scalars *scalars, int bf16_p,
                     int bf16_s, int threads) {
    const Factors f = factors(scalars);
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        part(tensors, grads, count, f, bf16_p, bf16_s, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    part(tensors, grads, count, f, bf16_p, bf16_s, 0, 1);
}
