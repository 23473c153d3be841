#include "schema.h"

#include "onnx.h"

#define FIELD(type, member, k) .kind = (k), .offset = offsetof(type, member)
#define MESSAGE(type, proto, count)                                                                \
    .name = (proto), .size = sizeof(type), .unknown = offsetof(type, unknown), .n_fields = (count)
#define NO_HAS    .has = ONNX_NO_OFFSET
#define HAS(type) .has = offsetof(type, has)

/* clang-format off: one line a field reads as the table that it is */
static const onnx_message type_schema, graph_schema;

static const onnx_message entry_schema = {MESSAGE(onnx_entry, "StringStringEntryProto", 3), NO_HAS,
                                          .fields = {
                                              [1] = {FIELD(onnx_entry, key, ONNX_BYTES)},
                                              [2] = {FIELD(onnx_entry, value, ONNX_BYTES)},
                                          }};

static const onnx_message opset_schema = {MESSAGE(onnx_opset, "OperatorSetIdProto", 3),
                                          HAS(onnx_opset),
                                          .fields = {
                                              [1] = {FIELD(onnx_opset, domain, ONNX_BYTES)},
                                              [2] = {FIELD(onnx_opset, version, ONNX_INT64)},
                                          }};

static const onnx_message dim_schema = {
    MESSAGE(onnx_dim, "Dimension", 4), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_dim, value, ONNX_INT64), .one_of = true, .has_flag = true,
               .flag = offsetof(onnx_dim, has_value)},
        [2] = {FIELD(onnx_dim, param, ONNX_BYTES), .one_of = true, .has_flag = true,
               .flag = offsetof(onnx_dim, has_param)},
        [3] = {FIELD(onnx_dim, denotation, ONNX_BYTES)},
    }};

static const onnx_message shape_schema = {
    MESSAGE(onnx_shape, "TensorShapeProto", 2), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_shape, dims, ONNX_MESSAGES), .sub = &dim_schema},
    }};

static const onnx_message tensor_type_schema = {
    MESSAGE(onnx_tensor_type, "TypeProto.Tensor", 3), HAS(onnx_tensor_type),
    .fields = {
        [1] = {FIELD(onnx_tensor_type, elem_type, ONNX_INT32)},
        [2] = {FIELD(onnx_tensor_type, shape, ONNX_MESSAGE), .sub = &shape_schema},
    }};

static const onnx_message element_type_schema = {
    MESSAGE(onnx_element_type, "TypeProto.Sequence", 2), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_element_type, elem_type, ONNX_MESSAGE), .sub = &type_schema},
    }};

static const onnx_message map_type_schema = {
    MESSAGE(onnx_map_type, "TypeProto.Map", 3), HAS(onnx_map_type),
    .fields = {
        [1] = {FIELD(onnx_map_type, key_type, ONNX_INT32)},
        [2] = {FIELD(onnx_map_type, value_type, ONNX_MESSAGE), .sub = &type_schema},
    }};

static const onnx_message type_schema = {
    MESSAGE(onnx_type, "TypeProto", 10), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_type, tensor_type, ONNX_MESSAGE), .one_of = true,
               .sub = &tensor_type_schema},
        [4] = {FIELD(onnx_type, sequence_type, ONNX_MESSAGE), .one_of = true,
               .sub = &element_type_schema},
        [5] = {FIELD(onnx_type, map_type, ONNX_MESSAGE), .one_of = true, .sub = &map_type_schema},
        [6] = {FIELD(onnx_type, denotation, ONNX_BYTES)},
        [8] = {FIELD(onnx_type, sparse_tensor_type, ONNX_MESSAGE), .one_of = true,
               .sub = &tensor_type_schema},
        [9] = {FIELD(onnx_type, optional_type, ONNX_MESSAGE), .one_of = true,
               .sub = &element_type_schema},
    }};

static const onnx_message value_info_schema = {
    MESSAGE(onnx_value_info, "ValueInfoProto", 5), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_value_info, name, ONNX_BYTES)},
        [2] = {FIELD(onnx_value_info, type, ONNX_MESSAGE), .sub = &type_schema},
        [3] = {FIELD(onnx_value_info, doc_string, ONNX_BYTES)},
        [4] = {FIELD(onnx_value_info, metadata_props, ONNX_MESSAGES), .sub = &entry_schema},
    }};

const onnx_message onnx_schema_tensor = {
    MESSAGE(onnx_tensor, "TensorProto", 17), HAS(onnx_tensor),
    .fields = {
        [1] = {FIELD(onnx_tensor, dims, ONNX_INT64S)},
        [2] = {FIELD(onnx_tensor, data_type, ONNX_INT32)},
        [4] = {FIELD(onnx_tensor, float_data, ONNX_PACKED32)},
        [5] = {FIELD(onnx_tensor, int32_data, ONNX_INT32S), .packed = true},
        [6] = {FIELD(onnx_tensor, string_data, ONNX_BYTESS)},
        [7] = {FIELD(onnx_tensor, int64_data, ONNX_INT64S), .packed = true},
        [8] = {FIELD(onnx_tensor, name, ONNX_BYTES)},
        [9] = {FIELD(onnx_tensor, raw_data, ONNX_BYTES), .has_flag = true,
               .flag = offsetof(onnx_tensor, has_raw_data)},
        [10] = {FIELD(onnx_tensor, double_data, ONNX_PACKED64)},
        [11] = {FIELD(onnx_tensor, uint64_data, ONNX_INT64S), .packed = true},
        [12] = {FIELD(onnx_tensor, doc_string, ONNX_BYTES)},
        [13] = {FIELD(onnx_tensor, external_data, ONNX_MESSAGES), .sub = &entry_schema},
        [14] = {FIELD(onnx_tensor, data_location, ONNX_INT32)},
        [16] = {FIELD(onnx_tensor, metadata_props, ONNX_MESSAGES), .sub = &entry_schema},
    }};

static const onnx_message sparse_schema = {
    MESSAGE(onnx_sparse_tensor, "SparseTensorProto", 4), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_sparse_tensor, values, ONNX_MESSAGE), .sub = &onnx_schema_tensor},
        [2] = {FIELD(onnx_sparse_tensor, indices, ONNX_MESSAGE), .sub = &onnx_schema_tensor},
        [3] = {FIELD(onnx_sparse_tensor, dims, ONNX_INT64S)},
    }};

static const onnx_message attribute_schema = {
    MESSAGE(onnx_attribute, "AttributeProto", 24), HAS(onnx_attribute),
    .fields = {
        [1] = {FIELD(onnx_attribute, name, ONNX_BYTES)},
        [2] = {FIELD(onnx_attribute, f, ONNX_FLOAT)},
        [3] = {FIELD(onnx_attribute, i, ONNX_INT64)},
        [4] = {FIELD(onnx_attribute, s, ONNX_BYTES)},
        [5] = {FIELD(onnx_attribute, t, ONNX_MESSAGE), .sub = &onnx_schema_tensor},
        [6] = {FIELD(onnx_attribute, g, ONNX_MESSAGE), .sub = &graph_schema},
        [7] = {FIELD(onnx_attribute, floats, ONNX_FLOATS)},
        [8] = {FIELD(onnx_attribute, ints, ONNX_INT64S)},
        [9] = {FIELD(onnx_attribute, strings, ONNX_BYTESS)},
        [10] = {FIELD(onnx_attribute, tensors, ONNX_MESSAGES), .sub = &onnx_schema_tensor},
        [11] = {FIELD(onnx_attribute, graphs, ONNX_MESSAGE_PTRS), .sub = &graph_schema},
        [13] = {FIELD(onnx_attribute, doc_string, ONNX_BYTES)},
        [14] = {FIELD(onnx_attribute, tp, ONNX_MESSAGE), .sub = &type_schema},
        [15] = {FIELD(onnx_attribute, type_protos, ONNX_MESSAGES), .sub = &type_schema},
        [20] = {FIELD(onnx_attribute, type, ONNX_INT32)},
        [21] = {FIELD(onnx_attribute, ref_attr_name, ONNX_BYTES)},
        [22] = {FIELD(onnx_attribute, sparse_tensor, ONNX_MESSAGE), .sub = &sparse_schema},
        [23] = {FIELD(onnx_attribute, sparse_tensors, ONNX_MESSAGES), .sub = &sparse_schema},
    }};

static const onnx_message node_schema = {
    MESSAGE(onnx_node, "NodeProto", 10), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_node, inputs, ONNX_BYTESS)},
        [2] = {FIELD(onnx_node, outputs, ONNX_BYTESS)},
        [3] = {FIELD(onnx_node, name, ONNX_BYTES)},
        [4] = {FIELD(onnx_node, op_type, ONNX_BYTES)},
        [5] = {FIELD(onnx_node, attributes, ONNX_MESSAGES), .sub = &attribute_schema},
        [6] = {FIELD(onnx_node, doc_string, ONNX_BYTES)},
        [7] = {FIELD(onnx_node, domain, ONNX_BYTES)},
        [8] = {FIELD(onnx_node, overload, ONNX_BYTES)},
        [9] = {FIELD(onnx_node, metadata_props, ONNX_MESSAGES), .sub = &entry_schema},
    }};

static const onnx_message annotation_schema = {
    MESSAGE(onnx_annotation, "TensorAnnotation", 3), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_annotation, tensor_name, ONNX_BYTES)},
        [2] = {FIELD(onnx_annotation, quant_parameter_tensor_names, ONNX_MESSAGES),
               .sub = &entry_schema},
    }};

static const onnx_message graph_schema = {
    MESSAGE(onnx_graph, "GraphProto", 17), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_graph, nodes, ONNX_MESSAGES), .sub = &node_schema},
        [2] = {FIELD(onnx_graph, name, ONNX_BYTES)},
        [5] = {FIELD(onnx_graph, initializers, ONNX_MESSAGES), .sub = &onnx_schema_tensor},
        [10] = {FIELD(onnx_graph, doc_string, ONNX_BYTES)},
        [11] = {FIELD(onnx_graph, inputs, ONNX_MESSAGES), .sub = &value_info_schema},
        [12] = {FIELD(onnx_graph, outputs, ONNX_MESSAGES), .sub = &value_info_schema},
        [13] = {FIELD(onnx_graph, value_infos, ONNX_MESSAGES), .sub = &value_info_schema},
        [14] = {FIELD(onnx_graph, quantization_annotations, ONNX_MESSAGES),
                .sub = &annotation_schema},
        [15] = {FIELD(onnx_graph, sparse_initializers, ONNX_MESSAGES), .sub = &sparse_schema},
        [16] = {FIELD(onnx_graph, metadata_props, ONNX_MESSAGES), .sub = &entry_schema},
    }};

static const onnx_message function_schema = {
    MESSAGE(onnx_function, "FunctionProto", 15), NO_HAS,
    .fields = {
        [1] = {FIELD(onnx_function, name, ONNX_BYTES)},
        [4] = {FIELD(onnx_function, inputs, ONNX_BYTESS)},
        [5] = {FIELD(onnx_function, outputs, ONNX_BYTESS)},
        [6] = {FIELD(onnx_function, attributes, ONNX_BYTESS)},
        [7] = {FIELD(onnx_function, nodes, ONNX_MESSAGES), .sub = &node_schema},
        [8] = {FIELD(onnx_function, doc_string, ONNX_BYTES)},
        [9] = {FIELD(onnx_function, opset_imports, ONNX_MESSAGES), .sub = &opset_schema},
        [10] = {FIELD(onnx_function, domain, ONNX_BYTES)},
        [11] = {FIELD(onnx_function, attribute_protos, ONNX_MESSAGES), .sub = &attribute_schema},
        [12] = {FIELD(onnx_function, value_infos, ONNX_MESSAGES), .sub = &value_info_schema},
        [13] = {FIELD(onnx_function, overload, ONNX_BYTES)},
        [14] = {FIELD(onnx_function, metadata_props, ONNX_MESSAGES), .sub = &entry_schema},
    }};

const onnx_message onnx_schema_model = {
    MESSAGE(onnx_model, "ModelProto", 26), HAS(onnx_model),
    .fields = {
        [1] = {FIELD(onnx_model, ir_version, ONNX_INT64)},
        [2] = {FIELD(onnx_model, producer_name, ONNX_BYTES)},
        [3] = {FIELD(onnx_model, producer_version, ONNX_BYTES)},
        [4] = {FIELD(onnx_model, domain, ONNX_BYTES)},
        [5] = {FIELD(onnx_model, model_version, ONNX_INT64)},
        [6] = {FIELD(onnx_model, doc_string, ONNX_BYTES)},
        [7] = {FIELD(onnx_model, graph, ONNX_MESSAGE), .sub = &graph_schema},
        [8] = {FIELD(onnx_model, opset_imports, ONNX_MESSAGES), .sub = &opset_schema},
        [14] = {FIELD(onnx_model, metadata_props, ONNX_MESSAGES), .sub = &entry_schema},
        [25] = {FIELD(onnx_model, functions, ONNX_MESSAGES), .sub = &function_schema},
    }};
/* clang-format on */
