/* The account of a simulated device: a page of shared memory that a worker of the fake runtime
 * writes whenever its simulated power changes, and that the fake meter reads.
 *
 * The parent makes the page with memfd_create and ftruncate(JL_FAKE_DEVICE_BYTES), calls
 * jl_fake_device_init, gives the descriptor to the worker and, as jl_meter_options.fake_device_fd,
 * to the meter. One writer at a time. Energy is the exact integral of a piecewise constant power,
 * so the truth is known; the device's own sensor publishes it every JL_FAKE_DEVICE_TICK_NS, as
 * sensors do. */
#ifndef JL_BASE_FAKE_DEVICE_H
#define JL_BASE_FAKE_DEVICE_H

#include <stdatomic.h>
#include <stdint.h>

#define JL_FAKE_DEVICE_MAGIC   UINT32_C(0x4A4C4644)
#define JL_FAKE_DEVICE_VERSION 1u
#define JL_FAKE_DEVICE_BYTES   4096
#define JL_FAKE_DEVICE_TICK_NS INT64_C(100000000)

typedef struct jl_fake_device {
    uint32_t magic, version;
    _Atomic uint32_t sequence;       /* odd while the writer is inside */
    _Atomic int64_t t_ns;            /* the moment of the last change */
    _Atomic uint64_t power_uw;       /* power since t_ns */
    _Atomic uint64_t energy_uj;      /* true energy up to t_ns */
    _Atomic uint64_t energy_rest;    /* what is below a microjoule, in 1e-9 uJ */
    _Atomic uint64_t tick_energy_uj; /* true energy at the last tick not after t_ns */
    char uuid[64];                   /* name of the simulated device; may be empty */
} jl_fake_device;

static inline void jl_fake_device_init(jl_fake_device *d, int64_t now_ns, double power_w)
{
    d->version = JL_FAKE_DEVICE_VERSION;
    atomic_store(&d->t_ns, now_ns);
    atomic_store(&d->energy_uj, 0);
    atomic_store(&d->energy_rest, 0);
    atomic_store(&d->tick_energy_uj, 0);
    atomic_store(&d->power_uw, (uint64_t)(power_w * 1e6));
    d->magic = JL_FAKE_DEVICE_MAGIC;
}

/* For the writer only: bring the account forward at unchanged power. */
static inline void jl_fake_device_advance(jl_fake_device *d, int64_t t_ns)
{
    int64_t dt_ns = t_ns - atomic_load(&d->t_ns);
    if (dt_ns <= 0) return;
    /* uW * ns is 1e-9 uJ; an hour at 1 kW does not fit in 64 bits */
    unsigned __int128 nano = (unsigned __int128)atomic_load(&d->power_uw) * (uint64_t)dt_ns +
                             atomic_load(&d->energy_rest);
    atomic_fetch_add(&d->energy_uj, (uint64_t)(nano / 1000000000u));
    atomic_store(&d->energy_rest, (uint64_t)(nano % 1000000000u));
    atomic_store(&d->t_ns, t_ns);
}

/* From now_ns on the device takes power_w. A time before the last change counts as that change. */
static inline void jl_fake_device_set(jl_fake_device *d, int64_t now_ns, double power_w)
{
    atomic_fetch_add(&d->sequence, 1);
    int64_t tick_ns = now_ns / JL_FAKE_DEVICE_TICK_NS * JL_FAKE_DEVICE_TICK_NS;
    if (tick_ns > atomic_load(&d->t_ns)) {
        jl_fake_device_advance(d, tick_ns);
        atomic_store(&d->tick_energy_uj, atomic_load(&d->energy_uj));
    }
    jl_fake_device_advance(d, now_ns);
    atomic_store(&d->power_uw, (uint64_t)(power_w * 1e6));
    atomic_fetch_add(&d->sequence, 1);
}

/* True energy at t_ns, which must not be before the last change, and the power then. */
static inline double jl_fake_device_energy_j(jl_fake_device *d, int64_t t_ns, double *power_w)
{
    uint32_t before;
    double e, p;
    do {
        before = atomic_load(&d->sequence);
        p = (double)atomic_load(&d->power_uw) * 1e-6;
        int64_t since_ns = t_ns - atomic_load(&d->t_ns);
        e = (double)atomic_load(&d->energy_uj) * 1e-6 +
            (double)atomic_load(&d->energy_rest) * 1e-15 +
            (since_ns > 0 ? p * (double)since_ns * 1e-9 : 0);
    } while ((before & 1u) || before != atomic_load(&d->sequence));
    if (power_w) *power_w = p;
    return e;
}

/* What the device's sensor shows at t_ns (about now): the energy at its last tick. */
static inline double jl_fake_device_counter_j(jl_fake_device *d, int64_t t_ns, double *power_w)
{
    int64_t tick_ns = t_ns / JL_FAKE_DEVICE_TICK_NS * JL_FAKE_DEVICE_TICK_NS;
    uint32_t before;
    uint64_t uj;
    do {
        before = atomic_load(&d->sequence);
        int64_t since_ns = tick_ns - atomic_load(&d->t_ns);
        uint64_t power_uw = atomic_load(&d->power_uw);
        uj = atomic_load(&d->tick_energy_uj);
        if (since_ns > 0) /* to the microjoule what jl_fake_device_set will say of that tick */
            uj = atomic_load(&d->energy_uj) +
                 (uint64_t)(((unsigned __int128)power_uw * (uint64_t)since_ns +
                             atomic_load(&d->energy_rest)) /
                            1000000000u);
        if (power_w) *power_w = (double)power_uw * 1e-6;
    } while ((before & 1u) || before != atomic_load(&d->sequence));
    return (double)uj * 1e-6;
}

#endif
