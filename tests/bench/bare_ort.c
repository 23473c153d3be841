/* A bare C program on ONNX Runtime, for bench_memory.py: one session on one thread, a thousand
 * calls or three seconds, and its peak resident memory in bytes on standard output.
 * usage: bare_ort LIBRARY MODEL.onnx */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/ort_abi.h"

static const ort_api *api;

static void must(OrtStatus *status)
{
    if (!status) return;
    fprintf(stderr, "%s\n", api->GetErrorMessage(status));
    exit(1);
}

static long long peak_bytes(void)
{
    char line[256];
    long long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lld", &kib) != 1) kib = -1;
    if (f) fclose(f);
    return kib * 1024;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    const ort_api_base *(*base)(void) = NULL;
    if (library) *(void **)&base = dlsym(library, "OrtGetApiBase");
    if (!base) {
        fprintf(stderr, "cannot open %s\n", argv[1]);
        return 1;
    }
    api = base()->GetApi(ORT_MINOR_NEEDED);
    OrtEnv *env;
    OrtSessionOptions *options;
    OrtSession *session;
    OrtMemoryInfo *memory;
    OrtValue *x;
    OrtIoBinding *binding;
    static const int64_t shape[] = {1, 3, 224, 224};
    size_t bytes = 3 * 224 * 224 * sizeof(float);
    float *data = aligned_alloc(64, bytes);
    for (size_t i = 0; i < bytes / sizeof *data; i++)
        data[i] = (float)(i % 255) / 255;
    must(api->CreateEnv(3, "bare", &env));
    must(api->CreateSessionOptions(&options));
    must(api->SetIntraOpNumThreads(options, 1));
    must(api->CreateSession(env, argv[2], options, &session));
    must(api->CreateMemoryInfo("Cpu", ORT_DEVICE_ALLOCATOR, 0, ORT_MEM_DEFAULT, &memory));
    must(api->CreateTensorWithDataAsOrtValue(memory, data, bytes, shape, 4, 1, &x));
    must(api->CreateIoBinding(session, &binding));
    must(api->BindInput(binding, "input", x));
    must(api->BindOutputToDevice(binding, "logits", memory));
    time_t end = time(NULL) + 3;
    for (int i = 0; i < 1000 && time(NULL) < end; i++)
        must(api->RunWithBinding(session, NULL, binding));
    printf("%lld\n", peak_bytes());
    return 0;
}
