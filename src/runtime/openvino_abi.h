/* The part of OpenVINO's C interface that jouleline uses. Types and prototypes follow the public
 * headers openvino/c/ov_*.h (release 2026.4; unchanged since 2023.0). Status is 0 for success. */
#ifndef JL_RUNTIME_OPENVINO_ABI_H
#define JL_RUNTIME_OPENVINO_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef struct ov_core ov_core;
typedef struct ov_model ov_model;
typedef struct ov_compiled ov_compiled;
typedef struct ov_request ov_request;
typedef struct ov_tensor ov_tensor;
typedef struct ov_const_port ov_const_port;

typedef struct ov_version {
    const char *build_number, *description;
} ov_version;

typedef struct ov_shape {
    int64_t rank;
    int64_t *dims;
} ov_shape;

typedef struct ov_dimension {
    int64_t min, max;
} ov_dimension;

typedef struct ov_partial_shape {
    ov_dimension rank;
    ov_dimension *dims;
} ov_partial_shape;

/* ov_element_type_e */
enum {
    OV_BOOLEAN = 1,
    OV_BF16 = 2,
    OV_F16 = 3,
    OV_F32 = 4,
    OV_F64 = 5,
    OV_I4 = 6,
    OV_I8 = 7,
    OV_I16 = 8,
    OV_I32 = 9,
    OV_I64 = 10,
    OV_U4 = 14,
    OV_U8 = 16,
    OV_U16 = 17,
    OV_U32 = 18,
    OV_U64 = 19,
};

typedef struct ov_api {
    const char *(*get_last_err_msg)(void);
    void (*free)(const char *);
    int (*get_openvino_version)(ov_version *);
    void (*version_free)(ov_version *);
    int (*core_create)(ov_core **);
    void (*core_free)(ov_core *);
    int (*core_read_model)(const ov_core *, const char *path, const char *weights, ov_model **);
    int (*core_set_property)(const ov_core *, const char *device, ...); /* key, value: strings */
    int (*core_get_property)(const ov_core *, const char *device, const char *key, char **value);
    int (*core_compile_model)(const ov_core *, const ov_model *, const char *device,
                              size_t property_count, ov_compiled **, ...);
    void (*model_free)(ov_model *);
    int (*model_inputs_size)(const ov_model *, size_t *);
    int (*model_const_input_by_index)(const ov_model *, size_t, ov_const_port **);
    int (*model_const_input_by_name)(const ov_model *, const char *, ov_const_port **);
    int (*model_reshape)(const ov_model *, const char **names, const ov_partial_shape *, size_t);
    void (*compiled_model_free)(ov_compiled *);
    int (*compiled_model_outputs_size)(const ov_compiled *, size_t *);
    int (*compiled_model_output_by_index)(const ov_compiled *, size_t, ov_const_port **);
    int (*compiled_model_get_property)(const ov_compiled *, const char *key, char **value);
    int (*compiled_model_create_infer_request)(const ov_compiled *, ov_request **);
    int (*port_get_any_name)(const ov_const_port *, char **);
    int (*port_get_element_type)(const ov_const_port *, int *);
    void (*output_const_port_free)(ov_const_port *);
    int (*partial_shape_create_static)(int64_t rank, const int64_t *dims, ov_partial_shape *);
    void (*partial_shape_free)(ov_partial_shape *);
    int (*shape_create)(int64_t rank, const int64_t *dims, ov_shape *);
    int (*shape_free)(ov_shape *);
    int (*tensor_create_from_host_ptr)(int type, ov_shape, void *, ov_tensor **);
    int (*tensor_get_shape)(const ov_tensor *, ov_shape *);
    int (*tensor_get_element_type)(const ov_tensor *, int *);
    int (*tensor_get_byte_size)(const ov_tensor *, size_t *);
    int (*tensor_data)(const ov_tensor *, void **);
    void (*tensor_free)(ov_tensor *);
    int (*infer_request_set_tensor)(ov_request *, const char *name, const ov_tensor *);
    int (*infer_request_get_output_tensor_by_index)(const ov_request *, size_t, ov_tensor **);
    int (*infer_request_infer)(ov_request *);
    int (*infer_request_start_async)(ov_request *);
    int (*infer_request_wait)(ov_request *);
    void (*infer_request_free)(ov_request *);
} ov_api;

#endif
