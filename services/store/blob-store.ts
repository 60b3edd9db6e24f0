import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { BlobStore } from '../../domain/contracts/store.ts';
import type { Queries } from './transaction.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

export function createBlobStore(database: Queries): BlobStore {
  return {
    putBlob: async (text) => {
      const bytes = Buffer.from(text, 'utf8');
      const hash = createHash('sha256').update(bytes).digest('hex');
      const known = await database.selectFrom('blob').select('hash').where('hash', '=', hash).executeTakeFirst();
      if (known !== undefined) return hash;
      await database
        .insertInto('blob')
        .values({ hash, body: await compress(bytes) })
        .onConflict((conflict) => conflict.constraint('blob_pkey').doNothing())
        .execute();
      return hash;
    },
    getBlob: async (hash) => {
      const row = await database.selectFrom('blob').select('body').where('hash', '=', hash).executeTakeFirst();
      if (row === undefined) return undefined;
      return (await decompress(row.body)).toString('utf8');
    },
  };
}
