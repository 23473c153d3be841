/* What fake_torch_cuda.cc saw, for the test beside it: fake_torch_state() by dlsym. */
#ifndef FAKE_TORCH_CUDA_H
#define FAKE_TORCH_CUDA_H

#include <stdint.h>

typedef struct fake_torch {
    int64_t initialised;         /* how often torch started CUDA */
    int64_t launched;            /* kernels and copies so far */
    int64_t pending;             /* of them since something waited */
    int64_t synchronised;        /* how often a stream was waited for */
    int64_t to_device, to_host;  /* copies between the host and the device */
    int64_t last_stream;         /* of the kernel launched last; 0 is the default one */
    int64_t synchronised_stream; /* waited for last */
    int64_t streams;             /* given out of the pool */
    int64_t limit_bytes;         /* set by the test: a larger tensor is out of memory; 0: none */
    int device;                  /* of the kernel launched last */
} fake_torch;

#endif
