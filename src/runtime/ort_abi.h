/* The part of ONNX Runtime's C interface that jouleline uses, by slot.
 *
 * OrtGetApiBase()->GetApi(version) returns a table of function pointers that only ever grows at
 * its end, so a function keeps its slot in every later release. Slots and parameter types follow
 * the public C API, version 29 (ONNX Runtime 1.31); enumerations are plain int here. A function
 * above the last slot of an older library must not be called: see ORT_MINOR_*. */
#ifndef JL_RUNTIME_ORT_ABI_H
#define JL_RUNTIME_ORT_ABI_H

#include <stddef.h>
#include <stdint.h>

/* The release 1.N that brought what is used: N is also the version for GetApi. */
enum {
    ORT_MINOR_NEEDED = 17,     /* everything up to GetBuildInfoString */
    ORT_MINOR_EP_LIBRARY = 22, /* RegisterExecutionProviderLibrary ... EpDevice_EpName */
    ORT_MINOR_ASSIGNMENT = 24, /* Session_GetEpGraphAssignmentInfo ... */
};

/* OrtErrorCode */
enum {
    ORT_INVALID_ARGUMENT = 2,
    ORT_NO_SUCHFILE = 3,
    ORT_NO_MODEL = 4,
    ORT_INVALID_PROTOBUF = 7,
    ORT_NOT_FOUND = 14,
};

/* ONNXType, GraphOptimizationLevel, OrtAllocatorType, OrtMemType, OrtLoggingLevel */
enum { ORT_TYPE_TENSOR = 1 };
enum {
    ORT_OPTIMIZE_OFF = 0,
    ORT_OPTIMIZE_BASIC = 1,
    ORT_OPTIMIZE_EXTENDED = 2,
    ORT_OPTIMIZE_ALL = 99
};
enum { ORT_DEVICE_ALLOCATOR = 0 };
enum { ORT_MEM_DEFAULT = 0 };
enum { ORT_HARDWARE_CPU = 0 }; /* OrtHardwareDeviceType */
enum { ORT_LOG_ERROR = 3 };

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtValue OrtValue;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtIoBinding OrtIoBinding;
typedef struct OrtCUDAProviderOptionsV2 OrtCUDAProviderOptionsV2;
typedef struct OrtTensorRTProviderOptionsV2 OrtTensorRTProviderOptionsV2;
typedef struct OrtEpDevice OrtEpDevice;
typedef struct OrtHardwareDevice OrtHardwareDevice;
typedef struct OrtEpAssignedSubgraph OrtEpAssignedSubgraph;
typedef struct OrtEpAssignedNode OrtEpAssignedNode;
typedef struct OrtCustomOpDomain OrtCustomOpDomain;
typedef struct OrtKernelInfo OrtKernelInfo;
typedef struct OrtKernelContext OrtKernelContext;
typedef struct OrtCustomOp OrtCustomOp;

typedef struct ort_api {
    void *unused_0[1];
    int (*GetErrorCode)(const OrtStatus *);
    const char *(*GetErrorMessage)(const OrtStatus *);
    OrtStatus *(*CreateEnv)(int, const char *, OrtEnv **);
    void *unused_4[3];
    OrtStatus *(*CreateSession)(const OrtEnv *, const char *, const OrtSessionOptions *,
                                OrtSession **);
    void *unused_8[1];
    OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *,
                      const OrtValue *const *, size_t, const char *const *, size_t, OrtValue **);
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
    void *unused_11[11];
    OrtStatus *(*SetSessionLogSeverityLevel)(OrtSessionOptions *, int);
    OrtStatus *(*SetSessionGraphOptimizationLevel)(OrtSessionOptions *, int);
    OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int);
    void *unused_25[1];
    OrtStatus *(*CreateCustomOpDomain)(const char *, OrtCustomOpDomain **);
    OrtStatus *(*CustomOpDomain_Add)(OrtCustomOpDomain *, const OrtCustomOp *);
    OrtStatus *(*AddCustomOpDomain)(OrtSessionOptions *, OrtCustomOpDomain *);
    void *unused_29[1];
    OrtStatus *(*SessionGetInputCount)(const OrtSession *, size_t *);
    OrtStatus *(*SessionGetOutputCount)(const OrtSession *, size_t *);
    void *unused_32[1];
    OrtStatus *(*SessionGetInputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);
    OrtStatus *(*SessionGetOutputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);
    void *unused_35[1];
    OrtStatus *(*SessionGetInputName)(const OrtSession *, size_t, OrtAllocator *, char **);
    OrtStatus *(*SessionGetOutputName)(const OrtSession *, size_t, OrtAllocator *, char **);
    void *unused_38[1];
    OrtStatus *(*CreateRunOptions)(OrtRunOptions **);
    void *unused_40[8];
    OrtStatus *(*CreateTensorAsOrtValue)(OrtAllocator *, const int64_t *, size_t, int, OrtValue **);
    OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *, size_t,
                                                 const int64_t *, size_t, int, OrtValue **);
    void *unused_50[1];
    OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);
    OrtStatus *(*FillStringTensor)(OrtValue *, const char *const *, size_t);
    void *unused_53[2];
    OrtStatus *(*CastTypeInfoToTensorInfo)(const OrtTypeInfo *, const OrtTensorTypeAndShapeInfo **);
    OrtStatus *(*GetOnnxTypeFromTypeInfo)(const OrtTypeInfo *, int *);
    void *unused_57[3];
    OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *, int *);
    OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *, size_t *);
    OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *, int64_t *, size_t);
    void *unused_63[2];
    OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *, OrtTensorTypeAndShapeInfo **);
    void *unused_66[2];
    OrtStatus *(*CreateMemoryInfo)(const char *, int, int, int, OrtMemoryInfo **);
    void *unused_69[7];
    OrtStatus *(*AllocatorFree)(OrtAllocator *, void *);
    void *unused_77[1];
    OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **);
    void *unused_79[7];
    OrtStatus *(*KernelInfoGetAttribute_int64)(const OrtKernelInfo *, const char *, int64_t *);
    void *unused_87[3];
    OrtStatus *(*KernelContext_GetInput)(const OrtKernelContext *, size_t, const OrtValue **);
    OrtStatus *(*KernelContext_GetOutput)(OrtKernelContext *, size_t, const int64_t *, size_t,
                                          OrtValue **);
    void (*ReleaseEnv)(OrtEnv *);
    void (*ReleaseStatus)(OrtStatus *);
    void (*ReleaseMemoryInfo)(OrtMemoryInfo *);
    void (*ReleaseSession)(OrtSession *);
    void (*ReleaseValue)(OrtValue *);
    void (*ReleaseRunOptions)(OrtRunOptions *);
    void (*ReleaseTypeInfo)(OrtTypeInfo *);
    void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *);
    void (*ReleaseSessionOptions)(OrtSessionOptions *);
    void (*ReleaseCustomOpDomain)(OrtCustomOpDomain *);
    void *unused_102[23];
    OrtStatus *(*GetAvailableProviders)(char ***, int *);
    OrtStatus *(*ReleaseAvailableProviders)(char **, int);
    void *unused_127[3];
    OrtStatus *(*AddSessionConfigEntry)(OrtSessionOptions *, const char *, const char *);
    void *unused_131[2];
    OrtStatus *(*RunWithBinding)(OrtSession *, const OrtRunOptions *, const OrtIoBinding *);
    OrtStatus *(*CreateIoBinding)(OrtSession *, OrtIoBinding **);
    void (*ReleaseIoBinding)(OrtIoBinding *);
    OrtStatus *(*BindInput)(OrtIoBinding *, const char *, const OrtValue *);
    void *unused_137[1];
    OrtStatus *(*BindOutputToDevice)(OrtIoBinding *, const char *, const OrtMemoryInfo *);
    void *unused_139[1];
    OrtStatus *(*GetBoundOutputValues)(const OrtIoBinding *, OrtAllocator *, OrtValue ***,
                                       size_t *);
    void *unused_141[29];
    OrtStatus *(*SessionOptionsAppendExecutionProvider_TensorRT_V2)(
        OrtSessionOptions *, const OrtTensorRTProviderOptionsV2 *);
    OrtStatus *(*CreateTensorRTProviderOptions)(OrtTensorRTProviderOptionsV2 **);
    OrtStatus *(*UpdateTensorRTProviderOptions)(OrtTensorRTProviderOptionsV2 *, const char *const *,
                                                const char *const *, size_t);
    void *unused_173[1];
    void (*ReleaseTensorRTProviderOptions)(OrtTensorRTProviderOptionsV2 *);
    void *unused_175[29];
    OrtStatus *(*SessionOptionsAppendExecutionProvider_CUDA_V2)(OrtSessionOptions *,
                                                                const OrtCUDAProviderOptionsV2 *);
    OrtStatus *(*CreateCUDAProviderOptions)(OrtCUDAProviderOptionsV2 **);
    OrtStatus *(*UpdateCUDAProviderOptions)(OrtCUDAProviderOptionsV2 *, const char *const *,
                                            const char *const *, size_t);
    OrtStatus *(*GetCUDAProviderOptionsAsString)(const OrtCUDAProviderOptionsV2 *, OrtAllocator *,
                                                 char **);
    void (*ReleaseCUDAProviderOptions)(OrtCUDAProviderOptionsV2 *);
    void *unused_209[7];
    OrtStatus *(*SessionOptionsAppendExecutionProvider)(OrtSessionOptions *, const char *,
                                                        const char *const *, const char *const *,
                                                        size_t);
    void *unused_217[37];
    const char *(*GetBuildInfoString)(void);
    void *unused_255[46];
    OrtStatus *(*RegisterExecutionProviderLibrary)(OrtEnv *, const char *, const char *);
    void *unused_302[1];
    OrtStatus *(*GetEpDevices)(const OrtEnv *, const OrtEpDevice *const **, size_t *);
    OrtStatus *(*SessionOptionsAppendExecutionProvider_V2)(OrtSessionOptions *, OrtEnv *,
                                                           const OrtEpDevice *const *, size_t,
                                                           const char *const *, const char *const *,
                                                           size_t);
    void *unused_305[2];
    int (*HardwareDevice_Type)(const OrtHardwareDevice *);
    void *unused_308[4];
    const char *(*EpDevice_EpName)(const OrtEpDevice *);
    void *unused_313[3];
    const OrtHardwareDevice *(*EpDevice_Device)(const OrtEpDevice *);
    void *unused_317[90];
    OrtStatus *(*Session_GetEpGraphAssignmentInfo)(const OrtSession *,
                                                   const OrtEpAssignedSubgraph *const **, size_t *);
    OrtStatus *(*EpAssignedSubgraph_GetEpName)(const OrtEpAssignedSubgraph *, const char **);
    OrtStatus *(*EpAssignedSubgraph_GetNodes)(const OrtEpAssignedSubgraph *,
                                              const OrtEpAssignedNode *const **, size_t *);
    void *unused_410[2];
    OrtStatus *(*EpAssignedNode_GetOperatorType)(const OrtEpAssignedNode *, const char **);
} ort_api;

typedef struct ort_api_base {
    const ort_api *(*GetApi)(uint32_t version); /* NULL when the library is older */
    const char *(*GetVersionString)(void);      /* "1.31.1" */
} ort_api_base;

/* An operator of the caller's own, as version 10 of the interface has it: what later versions added
 * lies behind and is not asked for. */
enum { ORT_CUSTOM_OP_VERSION = 10, ORT_REQUIRED_VALUE = 0 };
struct OrtCustomOp {
    uint32_t version;
    void *(*CreateKernel)(const OrtCustomOp *, const struct ort_api *, const OrtKernelInfo *);
    const char *(*GetName)(const OrtCustomOp *);
    const char *(*GetExecutionProviderType)(const OrtCustomOp *); /* NULL: the CPU's */
    int (*GetInputType)(const OrtCustomOp *, size_t);
    size_t (*GetInputTypeCount)(const OrtCustomOp *);
    int (*GetOutputType)(const OrtCustomOp *, size_t);
    size_t (*GetOutputTypeCount)(const OrtCustomOp *);
    void (*KernelCompute)(void *kernel, OrtKernelContext *);
    void (*KernelDestroy)(void *kernel);
    int (*GetInputCharacteristic)(const OrtCustomOp *, size_t);
    int (*GetOutputCharacteristic)(const OrtCustomOp *, size_t);
};

#define ORT_SLOT(function, slot)                                                                   \
    _Static_assert(offsetof(ort_api, function) == (slot) * sizeof(void *), #function)
ORT_SLOT(GetErrorCode, 1);
ORT_SLOT(GetErrorMessage, 2);
ORT_SLOT(CreateEnv, 3);
ORT_SLOT(CreateSession, 7);
ORT_SLOT(Run, 9);
ORT_SLOT(CreateSessionOptions, 10);
ORT_SLOT(SetSessionLogSeverityLevel, 22);
ORT_SLOT(SetSessionGraphOptimizationLevel, 23);
ORT_SLOT(SetIntraOpNumThreads, 24);
ORT_SLOT(CreateCustomOpDomain, 26);
ORT_SLOT(CustomOpDomain_Add, 27);
ORT_SLOT(AddCustomOpDomain, 28);
ORT_SLOT(SessionGetInputCount, 30);
ORT_SLOT(SessionGetOutputCount, 31);
ORT_SLOT(SessionGetInputTypeInfo, 33);
ORT_SLOT(SessionGetOutputTypeInfo, 34);
ORT_SLOT(SessionGetInputName, 36);
ORT_SLOT(SessionGetOutputName, 37);
ORT_SLOT(CreateRunOptions, 39);
ORT_SLOT(CreateTensorAsOrtValue, 48);
ORT_SLOT(CreateTensorWithDataAsOrtValue, 49);
ORT_SLOT(GetTensorMutableData, 51);
ORT_SLOT(FillStringTensor, 52);
ORT_SLOT(CastTypeInfoToTensorInfo, 55);
ORT_SLOT(GetOnnxTypeFromTypeInfo, 56);
ORT_SLOT(GetTensorElementType, 60);
ORT_SLOT(GetDimensionsCount, 61);
ORT_SLOT(GetDimensions, 62);
ORT_SLOT(GetTensorTypeAndShape, 65);
ORT_SLOT(CreateMemoryInfo, 68);
ORT_SLOT(AllocatorFree, 76);
ORT_SLOT(GetAllocatorWithDefaultOptions, 78);
ORT_SLOT(KernelInfoGetAttribute_int64, 86);
ORT_SLOT(KernelContext_GetInput, 90);
ORT_SLOT(KernelContext_GetOutput, 91);
ORT_SLOT(ReleaseEnv, 92);
ORT_SLOT(ReleaseStatus, 93);
ORT_SLOT(ReleaseMemoryInfo, 94);
ORT_SLOT(ReleaseSession, 95);
ORT_SLOT(ReleaseValue, 96);
ORT_SLOT(ReleaseRunOptions, 97);
ORT_SLOT(ReleaseTypeInfo, 98);
ORT_SLOT(ReleaseTensorTypeAndShapeInfo, 99);
ORT_SLOT(ReleaseSessionOptions, 100);
ORT_SLOT(ReleaseCustomOpDomain, 101);
ORT_SLOT(GetAvailableProviders, 125);
ORT_SLOT(ReleaseAvailableProviders, 126);
ORT_SLOT(AddSessionConfigEntry, 130);
ORT_SLOT(RunWithBinding, 133);
ORT_SLOT(CreateIoBinding, 134);
ORT_SLOT(ReleaseIoBinding, 135);
ORT_SLOT(BindInput, 136);
ORT_SLOT(BindOutputToDevice, 138);
ORT_SLOT(GetBoundOutputValues, 140);
ORT_SLOT(SessionOptionsAppendExecutionProvider_TensorRT_V2, 170);
ORT_SLOT(CreateTensorRTProviderOptions, 171);
ORT_SLOT(UpdateTensorRTProviderOptions, 172);
ORT_SLOT(ReleaseTensorRTProviderOptions, 174);
ORT_SLOT(SessionOptionsAppendExecutionProvider_CUDA_V2, 204);
ORT_SLOT(CreateCUDAProviderOptions, 205);
ORT_SLOT(UpdateCUDAProviderOptions, 206);
ORT_SLOT(GetCUDAProviderOptionsAsString, 207);
ORT_SLOT(ReleaseCUDAProviderOptions, 208);
ORT_SLOT(SessionOptionsAppendExecutionProvider, 216);
ORT_SLOT(GetBuildInfoString, 254);
ORT_SLOT(RegisterExecutionProviderLibrary, 301);
ORT_SLOT(GetEpDevices, 303);
ORT_SLOT(SessionOptionsAppendExecutionProvider_V2, 304);
ORT_SLOT(HardwareDevice_Type, 307);
ORT_SLOT(EpDevice_EpName, 312);
ORT_SLOT(EpDevice_Device, 316);
ORT_SLOT(Session_GetEpGraphAssignmentInfo, 407);
ORT_SLOT(EpAssignedSubgraph_GetEpName, 408);
ORT_SLOT(EpAssignedSubgraph_GetNodes, 409);
ORT_SLOT(EpAssignedNode_GetOperatorType, 412);
#undef ORT_SLOT

#endif
