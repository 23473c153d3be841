/* A library with ONNX Runtime's name and entry that dies when it is asked for anything. */
#include <signal.h>
#include <stddef.h>

const void *OrtGetApiBase(void);
const void *OrtGetApiBase(void)
{
    raise(SIGSEGV);
    return NULL;
}
