/** The dtypes that a model can be asked to have. */
export const MODEL_DTYPES = ['float32', 'bfloat16', 'float16', 'float64'] as const;
/** A dtype of weights and activations. */
export type ModelDType = (typeof MODEL_DTYPES)[number];

/** In which numbers a model that is only read can hold its matrices. */
export const WEIGHT_FORMATS = ['bfloat16', 'int8', 'int4'] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];
