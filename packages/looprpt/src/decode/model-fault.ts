/** A model that gives logits which are no numbers: nothing can be drawn from them, and the text that asked for them ends. */
import { UserError } from '../base/user-error.js';

export class ModelFault extends UserError {
  constructor() {
    super(
      'the model gave logits that are not finite numbers: its weights hold such, or its dtype is too small for them',
    );
  }
}
