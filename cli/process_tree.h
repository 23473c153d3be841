/* A process and all that descend from it, as /proc shows them. */
#ifndef JL_PROCESS_TREE_H
#define JL_PROCESS_TREE_H

#include <stdint.h>
#include <sys/types.h>

/* Resident memory of a process and its descendants together, pages that they share counted by
 * each; 0 when it is gone. */
int64_t jl_tree_memory_bytes(pid_t pid);

#endif
