/* The table of the zoo. */
#ifndef JL_MODEL_ZOO_TABLE_H
#define JL_MODEL_ZOO_TABLE_H

#include "model/zoo/builder.h"

typedef struct zoo_entry {
    jl_zoo_model model;
    zoo_value (*build)(zoo_builder *b, zoo_value x);
    const char *weights_of;                    /* the name that seeds the weights */
    jl_zoo_style style;                        /* unless the options ask for another than plain */
    const uint16_t *committed, *committed_end; /* batch norm statistics and head bias, FP16 */
} zoo_entry;

const zoo_entry *zoo_table(size_t *count);
/* The same models written in the other style: NAME+torchscript, found by name and not listed. */
const zoo_entry *zoo_styled(size_t *count);

#endif
