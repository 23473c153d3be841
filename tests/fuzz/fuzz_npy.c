/* .npy files. */
#include "base/npy.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memory_file(data, size, path, sizeof path);
    jl_npy npy = {0};
    jl_error err = {0};
    if (jl_npy_open(path, &npy, &err) == 0)
        jl_npy_close(&npy);
    else if (!err.msg[0])
        abort();
    close(fd);
    return 0;
}
