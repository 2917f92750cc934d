import { describe, expect, it } from 'vitest';
import { UserError } from '../../base/user-error.js';
import { placeInEnvironment } from './environment.js';

const torchrun = { RANK: '3', WORLD_SIZE: '8', LOCAL_RANK: '1', MASTER_ADDR: 'node-0', MASTER_PORT: '29400' };
const slurm = { SLURM_STEP_ID: '0', SLURM_PROCID: '5', SLURM_NTASKS: '6', SLURM_LOCALID: '2', MASTER_ADDR: 'node-0' };

describe('the place of a process', () => {
  it("is read from torchrun's and Kubernetes' variables", () => {
    const place = { rank: 3, size: 8, localRank: 1, host: 'node-0', port: 29400, attempt: '0' };
    expect(placeInEnvironment(torchrun)).toEqual({ ...place, storeIsAgents: false });
    const agents = { TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2' };
    expect(placeInEnvironment({ ...torchrun, ...agents })).toEqual({ ...place, storeIsAgents: true, attempt: '2' });
  });

  it("is read from srun's, with the usual port", () => {
    expect(placeInEnvironment(slurm)).toMatchObject({ rank: 5, size: 6, localRank: 2, host: 'node-0', port: 29500 });
  });

  it('is none in a process on its own, also in a shell of an allocation', () => {
    expect(placeInEnvironment({})).toBeNull();
    expect(placeInEnvironment({ ...torchrun, RANK: '0', WORLD_SIZE: '1' })).toBeNull();
    expect(placeInEnvironment({ ...slurm, SLURM_STEP_ID: undefined })).toBeNull();
  });

  it.each([
    [{ ...torchrun, RANK: undefined }, 'RANK: is not set, though WORLD_SIZE is; every process needs it'],
    [{ ...torchrun, WORLD_SIZE: undefined }, 'WORLD_SIZE: is not set, though RANK is'],
    [{ ...torchrun, MASTER_ADDR: undefined }, 'MASTER_ADDR: is not set, though WORLD_SIZE is'],
    [{ ...torchrun, MASTER_ADDR: '' }, 'MASTER_ADDR=: is empty'],
    [{ ...torchrun, RANK: '8' }, 'RANK=8: is not below WORLD_SIZE=8'],
    [{ ...torchrun, WORLD_SIZE: 'two' }, 'WORLD_SIZE=two: is not a whole number'],
    [{ ...torchrun, RANK: '0', WORLD_SIZE: '0' }, 'WORLD_SIZE=0: is not a number of processes'],
    [{ ...torchrun, MASTER_PORT: '70000' }, 'MASTER_PORT=70000: is not a port'],
    [{ ...slurm, MASTER_ADDR: undefined }, 'MASTER_ADDR: is not set, though SLURM_NTASKS is'],
  ])('names the variable that is wrong: %o', (env, message) => {
    expect(() => placeInEnvironment(env)).toThrow(UserError);
    expect(() => placeInEnvironment(env)).toThrow(message);
  });
});
