import { UserError } from '../../base/user-error.js';

/** Another rank is gone, stands still, or gave up; the message names it. Nothing is wrong with this process. */
export class LostPeers extends UserError {}
