# The zoo: what it lists, what it refuses, and the hash of every file that it writes.
$ jouleline model list -o csv
model,family,input,parameters,statistics,about
mobilenet_v2,lightweight,3x224x224,3504872,34112,"inverted residuals, ReLU6"
mobilenet_v3_small,lightweight,3x224x224,2542856,12112,"inverted residuals, squeeze-excite, hard swish"
mobilenet_v3_large,lightweight,3x224x224,5483032,24400,"inverted residuals, squeeze-excite, hard swish"
efficientnet_b0,lightweight,3x224x224,5288548,42016,"inverted residuals, squeeze-excite, SiLU"
efficientnet_b3,lightweight,3x300x300,12233232,87296,"efficientnet_b0 wider, deeper, at 300 x 300"
mnasnet1_0,lightweight,3x224x224,4383312,37920,"inverted residuals found by search, ReLU"
shufflenet_v2_x1_0,lightweight,3x224x224,2278604,16180,"split, depthwise, concatenate, shuffle"
resnet18,standard,3x224x224,11689512,9600,"residual blocks of two 3 x 3 convolutions"
resnet50,standard,3x224x224,25557032,53120,"residual bottlenecks"
resnet101,standard,3x224x224,44549160,105344,"residual bottlenecks, 33 blocks"
vgg16,standard,3x224x224,138357544,0,"plain 3 x 3 convolutions, no batch norm"
densenet121,standard,3x224x224,7978856,83648,"each layer sees all before it"
convnext_tiny,layernorm,3x224x224,28589128,0,"depthwise 7 x 7, layer norm, GELU"
vit_b_16,layernorm,3x224x224,86567656,0,"transformer encoder over 16 x 16 patches"
swin_t,layernorm,3x224x224,28288354,0,"attention in shifted windows"
efficientnet_b3+overflow,lightweight,3x300x300,12233232,87296,"efficientnet_b3 that overflows in half precision from batch 32"
$ jouleline model export resnet5O
! jouleline model export: the zoo has no model 'resnet5O', did you mean 'resnet50'?; 'jouleline model list' shows all
? 1
$ jouleline model export resnet18 --opset 12
! jouleline model export: --opset: '12' is not between 13 and 21
! Try 'jouleline model export --help'.
? 2
$ jouleline model export resnet18 vgg16 -o x
! jouleline model export: --output is for one model, and 2 are named
? 2
$ jouleline model export resnet18 --weights /dev/null
! jouleline model export: /dev/null is not a safetensors file: it is no regular file
? 1
$ printf 'nonsense' >w; jouleline model export resnet18 --weights w; ls
w
! jouleline model export: w is not a safetensors file, or is truncated: its header claims 7310308002159816558 bytes of the file's 8
$ jouleline model export shufflenet_v2_x1_0 -f safetensors -o w && sha256sum <w
9ecf441c5899cb097d019cb828158d8e1a9ea0d16127bee167acf35651bc94cd  -
$ jouleline model export resnet18 --weights w
! jouleline model export: w is not a state_dict of resnet18: 'conv1.weight' is missing; 'bn1.weight' is missing; 'bn1.bias' is missing; 'bn1.running_mean' is missing; 'bn1.running_var' is missing; 'layer1.0.conv1.weight' is missing (437 such tensors in all)
? 1
$ jouleline model export shufflenet_v2_x1_0 --weights w -o m && sha256sum <m
8d2ea71b91baa695c77d9695645b4d732aae4a36784d83286c40b7d209dd6520  -
$ jouleline model export resnet18 -o no/such/folder/m
! jouleline model export: cannot create no/such/folder/m: No such file or directory
? 1
$ jouleline model export mobilenet_v2 -o m && sha256sum <m
d84fd8b5f6f598a5d36e446bfc99044cbca8808476b5ba7ac23471f413d3d5b1  -
$ jouleline model export mobilenet_v3_small -o m && sha256sum <m
06df8adda5e18eb74de1472575eb689a867c4625e119eb1d092e993d3bb9565b  -
$ jouleline model export mobilenet_v3_large -o m && sha256sum <m
107e134a382be1d9e41741ec0aff0d7419533dd67fe222ba9c47f0f6c1370600  -
$ jouleline model export efficientnet_b0 -o m && sha256sum <m
dc4db06a574858b7928cf304cc0be858dc2be76f7bbf84bfcfded3b6f38ff453  -
$ jouleline model export efficientnet_b3 -o m && sha256sum <m
5079b8515a6536bb5c5012d64034dd08791edd270951c331a9f16880fb5db57b  -
$ jouleline model export mnasnet1_0 -o m && sha256sum <m
0c4283fbb627b0efe2d8c77961cb33c9f389c658e9d0fc2b72a6025bc941a2bd  -
$ jouleline model export shufflenet_v2_x1_0 -o m && sha256sum <m
8d2ea71b91baa695c77d9695645b4d732aae4a36784d83286c40b7d209dd6520  -
$ jouleline model export resnet18 -o m && sha256sum <m
e377759a96a942d3bc8d149c2efc5f80c9f3ea9349688df2212de75b6242fb66  -
$ jouleline model export resnet50 -o m && sha256sum <m
4103fa0fcb33d799ba4c8d3e52e9fc60df018f3d5d9d8d9346e9c4e8fa65e8c5  -
$ jouleline model export resnet101 -o m && sha256sum <m
1f0666c65209c55af7803760860b4c2b859ebc051041a788d9b1a6e062908a07  -
$ jouleline model export vgg16 -o m && sha256sum <m
b5ee2540a516e22b3f5e7729555b1b4a3f0b5b195c7f0eb89aa87324913c8352  -
$ jouleline model export densenet121 -o m && sha256sum <m
70a1924e9541e633e89c34d095d3d36245e678e3af1ddfa7018cf26800f9abe4  -
$ jouleline model export convnext_tiny -o m && sha256sum <m
d1b13cb90a49d66641a94a6bac781d7e5cb3170ef858779aa9c779f5b430361b  -
$ jouleline model export vit_b_16 -o m && sha256sum <m
318052c4a75dd4b2491eea59d665d3131b4271c1b276b0115d92d2c440a21662  -
$ jouleline model export swin_t -o m && sha256sum <m
872eb4d18e17efd1f189c7cf3ea715cb4b6ff5f75b6ac5a6a4d1715517bcc243  -
$ jouleline model export efficientnet_b3+overflow -o m && sha256sum <m
68f43a6ecb8319661b9ab318e53dc0d2d96a821b35b13edc820fde2e42bec243  -
