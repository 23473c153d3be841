/* The libnvrtc that remembers kernels: on a compiler of our own, and on NVIDIA's where it is. */
#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/kernel_cache.h"

static const char fake[] = JL_PLUGINS "/fake_nvrtc.so";
static char folder[] = "/tmp/jouleline-nvrtc-XXXXXX", counter[64];

typedef struct job {
    const char *real, *source, *header, *options[6], *names[2];
} job;

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found) fprintf(stderr, "no %s\n", name);
    return found;
}

/* Everything that a caller can see of one compilation, as text and bytes. */
static void tell(void *library, const job *j, FILE *to)
{
    int (*create)(void **, const char *, const char *, int, const char *const *,
                  const char *const *);
    int (*compile)(void *, int, const char *const *), (*add)(void *, const char *);
    int (*lowered)(void *, const char *, const char **), (*destroy)(void **);
    *(void **)&create = symbol(library, "nvrtcCreateProgram");
    *(void **)&compile = symbol(library, "nvrtcCompileProgram");
    *(void **)&add = symbol(library, "nvrtcAddNameExpression");
    *(void **)&lowered = symbol(library, "nvrtcGetLoweredName");
    *(void **)&destroy = symbol(library, "nvrtcDestroyProgram");
    void *p = NULL;
    static const char *const include[] = {"own.h"};
    int count = 0;
    while (count < 6 && j->options[count])
        count++;
    fprintf(to, "create %d\n",
            create(&p, j->source, "test.cu", j->header != NULL, &j->header, include));
    for (int i = 0; i < 2 && j->names[i]; i++)
        fprintf(to, "add %d\n", add(p, j->names[i]));
    fprintf(to, "compile %d\n", compile(p, count, j->options));
    fprintf(to, "add late %d\n", add(p, "late") != 0);
    for (int i = 0; i < 2 && j->names[i]; i++) {
        const char *name = NULL;
        int rc = lowered(p, j->names[i], &name);
        fprintf(to, "lowered %d %s\n", rc, rc ? "" : name);
    }
    static const char *const kinds[] = {"CUBIN", "PTX", "ProgramLog"};
    for (int i = 0; i < 3; i++) {
        char words[64];
        int (*size_of)(void *, size_t *), (*get)(void *, char *);
        size_t size = 0;
        snprintf(words, sizeof words, "nvrtcGet%sSize", kinds[i]);
        *(void **)&size_of = symbol(library, words);
        snprintf(words, sizeof words, "nvrtcGet%s", kinds[i]);
        *(void **)&get = symbol(library, words);
        int rc = size_of(p, &size);
        char *bytes = calloc(1, size + 1);
        fprintf(to, "%s %d %zu %d\n", kinds[i], rc, size, rc ? 0 : get(p, bytes));
        fwrite(bytes, 1, size, to);
        free(bytes);
    }
    fprintf(to, "destroy %d %d\n", destroy(&p), p == NULL);
}

/* In a process of its own, through the cache or straight; what was told, malloc'ed. */
static char *run(const job *j, bool cached, size_t *size)
{
    char path[128];
    snprintf(path, sizeof path, "%s.told", folder);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        FILE *to = fopen(path, "w");
        void *library = dlopen(cached ? JL_NVRTC : j->real, RTLD_NOW);
        int (*start)(const char *, const char *) = NULL;
        if (!library || !to) _exit(1);
        if (cached) {
            *(void **)&start = symbol(library, "jouleline_nvrtc_cache");
            if (start(j->real, folder) != 0 || start(j->real, folder) != 0) _exit(2);
            if (dlopen("libnvrtc.so.13", RTLD_NOW) != library) _exit(3); /* as cuDNN opens it */
        }
        tell(library, j, to);
        fclose(to);
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    FILE *from = fopen(path, "r");
    assert_non_null(from);
    char *told = calloc(1, 1 << 20);
    *size = fread(told, 1, 1 << 20, from);
    fclose(from);
    unlink(path);
    return told;
}

static void same(const job *j, bool cached)
{
    size_t n, m;
    char *straight = run(j, false, &n), *other = run(j, cached, &m);
    assert_int_equal(n, m);
    assert_memory_equal(straight, other, n);
    free(straight);
    free(other);
}

static off_t compilations(void)
{
    struct stat st;
    return stat(counter, &st) ? 0 : st.st_size;
}

static int files(char *one, size_t size)
{
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && ++n && one) snprintf(one, size, "%s/%s", folder, e->d_name);
    closedir(d);
    return n;
}

static int clean(void **state)
{
    (void)state;
    char path[400];
    while (files(path, sizeof path))
        unlink(path);
    unlink(counter);
    return 0;
}

/* Compiled once, then taken from the folder, with the same words and bytes. */
static void compiles_once(const job *j)
{
    size_t n;
    off_t before = compilations();
    same(j, true);
    if (j->real == fake) assert_int_equal(compilations() - before, 2);
    assert_int_equal(files(NULL, 0), 1);
    before = compilations();
    same(j, true);
    if (j->real == fake) assert_int_equal(compilations() - before, 1); /* the straight one */
    free(run(j, true, &n));
    assert_int_equal(files(NULL, 0), 1);
}

static void a_kernel_is_compiled_once(void **state)
{
    (void)state;
    compiles_once(&(job){.real = fake,
                         .source = "kernel",
                         .header = "text",
                         .options = {"--gpu-architecture=sm_90", "-w"},
                         .names = {"a<int>", "b"}});
}

static void what_differs_is_compiled(void **state)
{
    (void)state;
    static const job jobs[] = {
        {.real = fake, .source = "kernel", .options = {"-w"}},
        {.real = fake, .source = "kerne1", .options = {"-w"}},
        {.real = fake, .source = "kernel", .options = {"-w", "-w"}},
        {.real = fake, .source = "kernel", .options = {"-w"}, .names = {"a"}},
        {.real = fake, .source = "kernel", .options = {"-w"}, .header = "1"},
        {.real = fake, .source = "kernel", .options = {"-w"}, .header = "2"},
    };
    size_t n;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        same(&jobs[i], true);
    assert_int_equal(files(NULL, 0), 6);
    setenv("FAKE_NVRTC_MINOR", "1", 1); /* another compiler */
    free(run(&jobs[0], true, &n));
    unsetenv("FAKE_NVRTC_MINOR");
    assert_int_equal(files(NULL, 0), 7);
}

static void what_reads_files_or_fails_is_not_kept(void **state)
{
    (void)state;
    static const job jobs[] = {
        {.real = fake, .source = "kernel", .options = {"-I/usr/include"}},
        {.real = fake, .source = "kernel", .options = {"--include-path=/x"}},
        {.real = fake, .source = "kernel", .options = {"--pch"}},
        {.real = fake, .source = "kernel", .options = {"-arch=native"}},
        {.real = fake, .source = "broken", .options = {"-w"}},
    };
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        same(&jobs[i], true);
        same(&jobs[i], true);
    }
    assert_int_equal(files(NULL, 0), 0);
}

static void a_damaged_file_is_compiled_again(void **state)
{
    (void)state;
    static const job j = {.real = fake, .source = "kernel", .options = {"-w"}, .names = {"a"}};
    char path[400];
    size_t n;
    free(run(&j, true, &n));
    assert_int_equal(files(path, sizeof path), 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += 7) {
        FILE *f = fopen(path, "r+");
        fseek(f, at, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ 0x41, f);
        fclose(f);
        same(&j, true);
    }
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    same(&j, true);
    assert_int_equal(truncate(path, 0), 0);
    same(&j, true);
}

static void without_a_compiler_every_call_fails(void **state)
{
    (void)state;
    void *library = dlopen(JL_NVRTC, RTLD_NOW);
    assert_non_null(library);
    int (*start)(const char *, const char *), (*version)(int *, int *);
    *(void **)&start = symbol(library, "jouleline_nvrtc_cache");
    *(void **)&version = symbol(library, "nvrtcVersion");
    assert_int_not_equal(start("/nowhere/libnvrtc.so.13", folder), 0);
    assert_int_not_equal(start(JL_PLUGINS "/no_entry.so", folder), 0);
    assert_int_not_equal(version(NULL, NULL), 0);
    dlclose(library);
}

static void nvidias_kernels_come_back_bit_for_bit(void **state)
{
    (void)state;
    static const char *const places[] = {"/usr/local/cuda/lib64/libnvrtc.so.13",
                                         "/usr/local/cuda/lib/libnvrtc.so.13"};
    const char *real = NULL;
    for (size_t i = 0; i < 2 && !real; i++)
        if (access(places[i], R_OK) == 0) real = places[i];
    if (!real) skip();
    static const char source[] =
        "#include \"own.h\"\n"
        "template <typename T> __global__ void scale(T *x) { x[threadIdx.x] *= FACTOR; }\n"
        "extern \"C\" __global__ void plain(float *x) { x[threadIdx.x] += FACTOR; }\n";
    compiles_once(&(job){.real = real,
                         .source = source,
                         .header = "#define FACTOR 3\n",
                         .options = {"--gpu-architecture=sm_90", "--std=c++17", "-default-device"},
                         .names = {"scale<float>", "scale<int>"}});
    clean(NULL);
    compiles_once(
        &(job){.real = real,
               .source = "extern \"C\" __global__ void k(float *x) { int unused; x[0] = 1; }",
               .options = {"--gpu-architecture=compute_90", "-default-device"}});
    clean(NULL);
    same(&(job){.real = real, .source = "this is no kernel", .options = {"-w"}}, true);
    assert_int_equal(files(NULL, 0), 0);
}

static void a_worker_opens_ours_when_told_to(void **state)
{
    (void)state;
    char real[] = "/tmp/jouleline-nvrtc-real-XXXXXX", path[64];
    assert_non_null(mkdtemp(real));
    snprintf(path, sizeof path, "%s/libnvrtc.so.13", real);
    assert_int_equal(symlink(fake, path), 0);
    char libraries[] = JL_NVRTC;
    *strrchr(libraries, '/') = '\0';
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        unsetenv("JOULELINE_KERNEL_CACHE");
        if (jl_kernel_cache_open(path)) _exit(1);
        setenv("JOULELINE_KERNEL_CACHE", folder, 1);
        if (jl_kernel_cache_open(JL_PLUGINS "/fake_nvrtc.so")) _exit(2); /* no number in the name */
        setenv("JOULELINE_NVRTC", "/nowhere", 1);
        if (jl_kernel_cache_open(path)) _exit(3);
        setenv("JOULELINE_NVRTC", libraries, 1);
        if (!jl_kernel_cache_open(path) || !jl_kernel_cache_open(path)) _exit(4);
        void *found = dlopen("libnvrtc.so.13", RTLD_NOW | RTLD_NOLOAD);
        _exit(found && dlsym(found, "jouleline_nvrtc_cache") ? 0 : 5);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    unlink(path);
    rmdir(real);
    assert_int_equal(status, 0);
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    snprintf(counter, sizeof counter, "%s.count", folder);
    setenv("FAKE_NVRTC_COUNT", counter, 1);
#define CASE(f) cmocka_unit_test_teardown(f, clean)
    const struct CMUnitTest tests[] = {
        CASE(a_kernel_is_compiled_once),
        CASE(what_differs_is_compiled),
        CASE(what_reads_files_or_fails_is_not_kept),
        CASE(a_damaged_file_is_compiled_again),
        CASE(without_a_compiler_every_call_fails),
        CASE(a_worker_opens_ours_when_told_to),
        CASE(nvidias_kernels_come_back_bit_for_bit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clean(NULL);
    rmdir(folder);
    return failed;
}
