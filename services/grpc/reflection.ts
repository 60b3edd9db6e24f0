import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { protoPath } from 'grpc-health-check';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { protocol } from '../api/a2a/protocol-buffers.ts';

/** Tells clients such as grpcurl what is served, in both versions of the reflection protocol; by `proto/`. */
export function addReflection(server: Server): void {
  const health = new protobuf.Root();
  health.loadSync(protoPath).resolveAll();
  const definition = Object.fromEntries(
    [protocol('1.0'), protocol('0.3'), health].map((root, index) => [index, descriptorsOf(root)]),
  );
  new ReflectionService(definition as never).addToServer(server);
}

/** A file for each package; the original's ones import nothing, so that is made good. */
function descriptorsOf(root: protobuf.Root): { readonly fileDescriptorProtos: readonly Buffer[] } {
  const { file: files } = root.toDescriptor('proto3');
  const imported = files.flatMap(({ package: name, name: file }) => (name === 'google.protobuf' ? [file ?? ''] : []));
  return {
    fileDescriptorProtos: files.map((file) =>
      Buffer.from(
        descriptor.FileDescriptorProto.encode({
          ...file,
          dependency: file.package === 'google.protobuf' ? [] : imported,
        }).finish(),
      ),
    ),
  };
}
