/* An NVRTC whose kernels are the source with the options behind it; it counts its compilations in
 * the file that FAKE_NVRTC_COUNT names, a byte each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

typedef struct program {
    char source[400], built[800], names[4][100], lowered[4][108];
    int name_count, compiled;
} program;

EXPORT int nvrtcVersion(int *major, int *minor)
{
    const char *said = getenv("FAKE_NVRTC_MINOR");
    *major = 13;
    *minor = said ? atoi(said) : 0;
    return 0;
}
EXPORT const char *nvrtcGetErrorString(int result)
{
    return result ? "FAKE_ERROR" : "FAKE_SUCCESS";
}
EXPORT int nvrtcCreateProgram(void **handle, const char *source, const char *name, int count,
                              const char *const *headers, const char *const *includes)
{
    program *p = calloc(1, sizeof *p);
    snprintf(p->source, sizeof p->source, "%s|%s", name ? name : "default_program", source);
    for (int i = 0; i < count; i++)
        snprintf(p->source + strlen(p->source), sizeof p->source - strlen(p->source), "|%s=%s",
                 includes[i], headers[i]);
    *handle = p;
    return 0;
}
EXPORT int nvrtcDestroyProgram(void **handle)
{
    free(*handle);
    *handle = NULL;
    return 0;
}
EXPORT int nvrtcAddNameExpression(void *handle, const char *name)
{
    program *p = handle;
    if (p->compiled) return 8;
    snprintf(p->names[p->name_count++], sizeof p->names[0], "%s", name);
    return 0;
}
EXPORT int nvrtcCompileProgram(void *handle, int count, const char *const *options)
{
    program *p = handle;
    FILE *f = fopen(getenv("FAKE_NVRTC_COUNT"), "a");
    if (f) {
        fputc('.', f);
        fclose(f);
    }
    p->compiled = 1;
    snprintf(p->built, sizeof p->built, "%s", p->source);
    for (int i = 0; i < count; i++)
        snprintf(p->built + strlen(p->built), sizeof p->built - strlen(p->built), " %s",
                 options[i]);
    for (int i = 0; i < p->name_count; i++)
        snprintf(p->lowered[i], sizeof p->lowered[i], "_Z%s", p->names[i]);
    return strstr(p->source, "broken") ? 6 : 0;
}
EXPORT int nvrtcGetLoweredName(void *handle, const char *name, const char **lowered)
{
    program *p = handle;
    for (int i = 0; i < p->name_count; i++)
        if (!strcmp(p->names[i], name)) {
            *lowered = p->lowered[i];
            return 0;
        }
    return 10;
}
EXPORT int nvrtcGetCUBINSize(void *handle, size_t *size)
{
    *size = strlen(((program *)handle)->built);
    return 0;
}
EXPORT int nvrtcGetCUBIN(void *handle, char *to)
{
    memcpy(to, ((program *)handle)->built, strlen(((program *)handle)->built));
    return 0;
}
EXPORT int nvrtcGetProgramLogSize(void *handle, size_t *size)
{
    *size = strstr(((program *)handle)->source, "broken") ? 7 : 1;
    return 0;
}
EXPORT int nvrtcGetProgramLog(void *handle, char *to)
{
    strcpy(to, strstr(((program *)handle)->source, "broken") ? "broken" : "");
    return 0;
}
EXPORT int nvrtcGetPTXSize(void *handle, size_t *size)
{
    (void)handle;
    *size = 0;
    return 4; /* as a kind of image that was not asked for */
}
EXPORT int nvrtcGetPTX(void *handle, char *to)
{
    (void)handle;
    (void)to;
    return 4;
}
