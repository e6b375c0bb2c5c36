/* The least an AdEMAMix update can do: read five arrays of n floats, write four. */
#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static void part(float *restrict p, const float *restrict g, float *restrict m1, float *restrict m2,
                 float *restrict nu, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        m1[i] += g[i];
        m2[i] += g[i];
        nu[i] += g[i];
        p[i] += g[i];
    }
}

void stream(float *p, const float *g, float *m1, float *m2, float *nu, int64_t n, int threads) {
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        {
            int64_t share = (n + omp_get_num_threads() - 1) / omp_get_num_threads();
            int64_t begin = share * omp_get_thread_num();
            part(p, g, m1, m2, nu, begin < n ? begin : n, begin + share < n ? begin + share : n);
        }
        return;
    }
#endif
    part(p, g, m1, m2, nu, 0, n);
}
