# What a graph costs, and models that cannot be read: each message names the file and the place.
$ cp $FIXTURES/models/*.onnx .
$ jouleline model cost mobilenet_v2
mobilenet_v2, batch 1, native: computed from the graph, nothing measured
  MACs                                300774272
  FLOP                                627396456
  parameters                            3504872
  batch norm statistics                   34112
  weight bytes                         14156216
  activation bytes                    158909088  nothing fused
                                       54906784  estimate with fusion
  peak activation memory                9633792  bytes
  arithmetic intensity                    3.625  FLOP/byte
operator            nodes    MACs    FLOP  params  weight B  activ. B  fused B
------------------  -----  ------  ------  ------  --------  --------  -------
Conv                   52   299 M   599 M  2.19 M    8.76 M    53.8 M   27.1 M
BatchNormalization     52       0  13.4 M  34.1 k     273 k    53.4 M   1.42 M
Clip                   35       0  12.2 M       0       280    48.8 M   24.4 M
Gemm                    1  1.28 M  2.56 M  1.28 M    5.12 M    9.12 k   9.12 k
Add                    10       0   216 k       0         0    2.60 M   1.73 M
GlobalAveragePool       1       0  62.7 k       0         0     256 k    256 k
Flatten                 1       0       0       0         0         0        0
$ jouleline model cost --by model -b 1,8 --precision fp16 -o csv resnet18 vit_b_16
model,batch,precision,row,op,output,nodes,times,macs,flop,parameters,weight_bytes,activation_bytes,fused_activation_bytes
"resnet18",1,fp16,"total","","",69,1,1814073344,3638007272,11689512,23398224,35077072,12899280
"resnet18",8,fp16,"total","","",69,1,14512586752,29104058176,11689512,23398224,280616576,103194240
"vit_b_16",1,fp16,"total","","",372,1,17563828224,35240476216,86567656,173135736,447157400,206899352
"vit_b_16",8,fp16,"total","","",372,1,140510625792,281923809728,86567656,173135736,3577258696,1655194312
$ jouleline model cost --by model -o json swin_t
[
  {
    "macs": 4490566656,
    "flop": 9067487992,
    "parameters": 28288354,
    "weight_bytes": 115271272,
    "activation_bytes": 787911328,
    "fused_activation_bytes": 390592672,
    "model": "swin_t",
    "batch": 1,
    "precision": "native",
    "statistics": 0,
    "constants": 121,
    "quantisation": 0,
    "peak_activation_bytes": 15654912,
    "intensity_flop_per_byte": 10.039484808498303,
    "unknown_nodes": 0,
    "notes": [
      "an ONNX file of this model holds 509700 elements more than its parameters: tables stored as they are read (position biases, attention masks)"
    ]
  }
]
$ jouleline model cost --by node -o csv unknown.onnx
model,batch,precision,row,op,output,nodes,times,macs,flop,parameters,weight_bytes,activation_bytes,fused_activation_bytes
"unknown.onnx",1,native,"m","my.own.Mystery","?",1,1,,,,,,
"unknown.onnx",1,native,"relu","Relu","float[1, 4]",1,1,,,,,,
"unknown.onnx",1,native,"total","","",2,1,0,0,0,0,0,0
$ jouleline model cost unknown.onnx
unknown.onnx, batch 1, native: computed from the graph, nothing measured
  MACs                                        0
  FLOP                                        0
  parameters                                  0
  weight bytes                                0
  activation bytes                            0  nothing fused
                                              0  estimate with fusion
  peak activation memory                     16  bytes
  arithmetic intensity                        0  FLOP/byte
  nodes not counted                           2  of 2
  note: 1 of 1 Relu nodes: sizes not known, not counted
  note: 1 of 1 my.own.Mystery nodes: no rule for this operator, not counted
operator        nodes  MACs  FLOP  params  weight B  activ. B  fused B
--------------  -----  ----  ----  ------  --------  --------  -------
Relu                1     ?     ?       ?         ?         ?        ?
my.own.Mystery      1     ?     ?       ?         ?         ?        ?
$ jouleline model cost --by model --shape ids=Bx128 -b 4 two_inputs.onnx
two_inputs.onnx, batch 4, native: computed from the graph, nothing measured
  MACs                                        0
  FLOP                                     1024
  parameters                                 10
  weight bytes                               40
  activation bytes                        24576  nothing fused
                                          16384  estimate with fusion
  peak activation memory                  12288  bytes
  arithmetic intensity                   0.0416  FLOP/byte
$ jouleline model info resnet50 | grep -v hash
resnet50
  family     standard
  producer   jouleline zoo 1
  opset      17
  nodes      175
  input      input: float[batch, 3, 224, 224]
  output     logits: float[batch, 1000]
  batch      batch
  operators  BatchNormalization 53, Conv 53, Relu 49, Add 16, Flatten 1, Gemm 1, GlobalAveragePool 1, MaxPool 1
  parameters 25557032
  batch norm statistics 53120
$ jouleline model info two_inputs.onnx
two_inputs.onnx
  producer   fixture
  file       286 bytes
  hash       4d1486581d36dabcf1eeb9785327130d
  opset      17
  nodes      3
  input      ids: int64[batch, length]
             values below 5: indices of node 'embed' (Gather)
  input      mask: int64[batch, length, 1]
  output     y: float[batch, length, 2]
  batch      batch
  operators  Cast 1, Gather 1, Mul 1
$ jouleline model info -o json unknown.onnx
[
  {
    "model": "unknown.onnx",
    "hash": "49f1372d940a86bed663756b3e827f2c",
    "producer": "fixture",
    "opset": 17,
    "nodes": 2,
    "file_bytes": 132,
    "inputs": [
      {
        "name": "x",
        "type": "float",
        "shape": [
          "N",
          4
        ]
      }
    ],
    "outputs": [
      {
        "name": "y",
        "type": "float",
        "shape": [
          "N",
          4
        ]
      }
    ],
    "batch": "N",
    "operators": {
      "Mystery": 1,
      "Relu": 1
    }
  }
]
# Free dimensions and a fixed batch.
$ jouleline model cost two_inputs.onnx
! jouleline model cost: two_inputs: dimension 'length' (axis 1 of input 'ids') is free; give the shape, as in --shape ids=...
? 2
$ jouleline model cost --shape ids=Bx128x3 two_inputs.onnx
! jouleline model cost: 'ids=Bx128x3': input 'ids' has 2 axes
? 2
$ jouleline model cost --shape id=Bx128 two_inputs.onnx
! jouleline model cost: two_inputs has no input 'id'
? 1
$ jouleline model export --batch 2 -o fixed.onnx resnet18
$ jouleline model cost -b 8 fixed.onnx
! jouleline model cost: fixed has a fixed batch (2), so it has no cost at batch 8; export it with a dynamic batch
? 2
# Bad input.
$ jouleline model cost mobilnet_v2
! jouleline model cost: the zoo has no model 'mobilnet_v2', did you mean 'mobilenet_v2'?; 'jouleline model list' shows all
? 1
$ jouleline model info none.onnx
! jouleline model info: cannot open none.onnx: No such file or directory
? 1
$ for m in absurd channels cycle deep negative outside shapeless twice types unmade; do jouleline model cost $m.onnx; done
! jouleline model cost: absurd.onnx: the dimensions of 'x' multiply beyond 64 bits
! jouleline model cost: channels.onnx: node 'conv' (Conv): the input has 4 channels, but the weight takes 3 in 1 groups
! jouleline model cost: cycle.onnx: the graph has a cycle: node 'first' (Add) reads from node 'second' (Relu) reads from the first
! jouleline model cost: deep.onnx: byte 256: messages nested more than 64 deep; jouleline reads sub-graphs nested up to about 20 deep
! jouleline model cost: negative.onnx: 'x' has the negative dimension -5 at axis 0
! jouleline model cost: outside.onnx: tensor 'w': refused external data '../../etc/passwd': it must lie in the model's own folder (.); move it there
! jouleline model cost: shapeless: input 'x' has no shape in the file, so there is nothing to compute from; export the model with the shapes of its inputs
! jouleline model cost: twice.onnx: node 'again' (Neg) makes 'y', which node 'relu' (Relu) already
! jouleline model cost: types.onnx: node 'sum' (Add): its inputs have the types float and int64; insert a Cast
! jouleline model cost: unmade.onnx: node 'reader' (Relu) reads 'ghost', which nothing makes
? 1
$ head -c 200000 fixed.onnx >truncated.onnx; jouleline model info truncated.onnx
! jouleline model info: truncated.onnx: not an ONNX model, or a damaged one: byte 25: a field of 46811305 bytes, but its message ends after 199975 more (truncated?)
? 1
$ : >empty.onnx; jouleline model cost empty.onnx
! jouleline model cost: empty.onnx: empty: not an ONNX model
? 1
$ echo 'hello world, this is text' >text.onnx; jouleline model cost text.onnx
! jouleline model cost: text.onnx: not an ONNX model, or a damaged one: byte 2: not a protobuf field
? 1
$ jouleline model cost ./
! jouleline model cost: ./ is not a regular file
? 1
