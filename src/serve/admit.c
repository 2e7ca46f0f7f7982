/* The first layer of admission: a bounded queue, the deadline, a prediction. */
#include "serve/admit.h"

#include "base/clock.h"

#define ALPHA       0.1
#define DECAY_EVERY 1024u

/* Four buckets an octave above 1 us: a quarter of the leading bit's value each. */
static uint32_t bucket_of(uint64_t ns)
{
    const uint64_t us = ns / NS_PER_US + 1;
    const uint32_t octave = 63u - (uint32_t)__builtin_clzll(us);
    const uint32_t quarter = octave >= 2 ? (uint32_t)(us >> (octave - 2) & 3u) : 0;
    const uint32_t i = octave * 4 + quarter;
    return i < ADMIT_BUCKETS ? i : ADMIT_BUCKETS - 1;
}

/* The upper bound of a bucket, so that the percentile errs towards refusing. */
static double bucket_top_ns(uint32_t i)
{
    const uint32_t octave = i / 4;
    const double base = (double)(1ull << (octave < 62 ? octave : 62));
    return base * (1.0 + 0.25 * (double)(i % 4 + 1)) * (double)NS_PER_US;
}

static void percentile(struct admit *a)
{
    const uint64_t want = a->bucket_sum - a->bucket_sum / 100;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < ADMIT_BUCKETS; i++) {
        seen += a->buckets[i];
        if (seen >= want) {
            a->run99_ns = bucket_top_ns(i);
            return;
        }
    }
}

static void decay(struct admit *a)
{
    a->bucket_sum = 0;
    for (uint32_t i = 0; i < ADMIT_BUCKETS; i++) {
        a->buckets[i] /= 2;
        a->bucket_sum += a->buckets[i];
    }
}

void admit_init(struct admit *a, uint64_t run_ns)
{
    *a = (struct admit){.requests = 1.0};
    if (run_ns == 0)
        return;
    a->run_ns = (double)run_ns;
    a->buckets[bucket_of(run_ns)] = 1;
    a->bucket_sum = 1;
    a->runs = ADMIT_RUNS_KNOWN;
    percentile(a);
}

void admit_ran(struct admit *a, uint64_t run_ns, uint32_t requests)
{
    const double run = (double)run_ns;
    const double many = requests ? (double)requests : 1.0;
    a->run_ns = a->runs ? a->run_ns + ALPHA * (run - a->run_ns) : run;
    a->requests += ALPHA * (many - a->requests);
    a->runs++;
    a->buckets[bucket_of(run_ns)]++;
    a->bucket_sum++;
    if (a->bucket_sum >= DECAY_EVERY)
        decay(a);
    if (a->runs % 32 == 0 || a->runs < 64)
        percentile(a);
}

static uint32_t retry_s(const struct admit *a, const struct admit_ask *ask)
{
    const double ns = (double)ask->waiting * a->run_ns / ((double)ask->instances * a->requests);
    const double s = ns / (double)NS_PER_S;
    if (s < 1.0)
        return 1;
    return s > ADMIT_RETRY_S_MAX ? ADMIT_RETRY_S_MAX : (uint32_t)s;
}

static double ceil_of(double x)
{
    const double whole = (double)(uint64_t)x;
    return x > whole ? whole + 1.0 : whole;
}

err admit_decide(const struct admit *a, const struct admit_ask *ask, uint32_t *ret_retry_s,
                 struct fault *f)
{
    const bool known = a->runs >= ADMIT_RUNS_KNOWN && a->run_ns > 0;
    const double left = (double)ask->left_ns;
    const double lanes = (double)ask->instances * a->requests;
    double bound = (double)ask->queue_max;
    if (known) {
        const double useful = ceil_of(0.5 * left / a->run_ns) * lanes;
        bound = useful < bound ? useful : bound;
    }
    if ((double)ask->waiting >= bound) {
        *ret_retry_s = retry_s(a, ask);
        return fail_pair(f, PAIR_REJECTED_QUEUE_FULL, "Exceeds maximum queue size");
    }
    if (!known)
        return OK;
    const double turns = ceil_of(((double)ask->waiting + 1.0) / a->requests);
    const double needs = turns * a->run_ns / (double)ask->instances + a->run99_ns;
    if (needs > left) {
        *ret_retry_s = retry_s(a, ask);
        return fail_pair(f, PAIR_REJECTED_CANNOT_FINISH,
                         "cannot finish in time: about %.3f ms needed, %.3f ms left",
                         needs / (double)NS_PER_MS, left / (double)NS_PER_MS);
    }
    return OK;
}
