#include "process_tree.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { PROCESSES_MOST = 4096 };

static int64_t resident_bytes(pid_t pid)
{
    char path[64];
    long total, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    bool ok = fscanf(f, "%ld %ld", &total, &resident) == 2;
    fclose(f);
    return ok ? resident * sysconf(_SC_PAGESIZE) : 0;
}

/* The children of every thread of a process; appends them to the list. */
static size_t add_children(pid_t pid, pid_t *list, size_t count)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    struct dirent *thread;
    while (threads && (thread = readdir(threads))) {
        if (thread->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.200s/children", (int)pid, thread->d_name);
        FILE *f = fopen(path, "re");
        int child;
        while (f && count < PROCESSES_MOST && fscanf(f, "%d", &child) == 1)
            list[count++] = child;
        if (f) fclose(f);
    }
    if (threads) closedir(threads);
    return count;
}

int64_t jl_tree_memory_bytes(pid_t pid)
{
    pid_t list[PROCESSES_MOST] = {pid};
    size_t count = 1;
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += resident_bytes(list[i]);
        count = add_children(list[i], list, count);
    }
    return sum;
}
