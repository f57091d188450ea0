// dpo-kernels/train: what a training loop needs beside losses and gradients.

export type { Dtype, SafeTensor } from "./safetensors/dtypes.ts";
export { readSafetensors, type SafetensorsFile } from "./safetensors/read.ts";
export { type TensorToWrite, writeSafetensors } from "./safetensors/write.ts";
export { type AdamwHyper, type AdamwState, adamw, adamwState } from "./train/adamw.ts";
export { clipGradNorm } from "./train/clip.ts";
export { createTrainer } from "./train/create-trainer.ts";
export type { Allocator } from "./train/kernels.ts";
export { opfsStore } from "./train/opfs-store.ts";
export { type AdapterFilesToRead, readAdapter } from "./train/peft/read.ts";
export type { Adapter, AdapterFiles, AdapterToWrite } from "./train/peft/types.ts";
export { writeAdapter } from "./train/peft/write.ts";
export { lrSchedule, type ScheduleOptions } from "./train/schedule.ts";
export { type SgdHyper, type SgdState, sgd, sgdState } from "./train/sgd.ts";
export type { Tensor, Tensors } from "./train/tensors.ts";
export type * from "./train/trainer/types.ts";
