/** TensorFlow's `Event`, the part of it that is used here. Field names are camel case, as protobufjs has them. */
import protobuf from 'protobufjs';

const Value = new protobuf.Type('Value')
  .add(new protobuf.Field('tag', 1, 'string'))
  .add(new protobuf.Field('simpleValue', 2, 'float'));
const Summary = new protobuf.Type('Summary').add(new protobuf.Field('value', 1, 'Value', 'repeated')).add(Value);
const SessionLog = new protobuf.Type('SessionLog').add(new protobuf.Field('status', 1, 'int32'));

export const Event = new protobuf.Type('Event')
  .add(new protobuf.Field('wallTime', 1, 'double'))
  .add(new protobuf.Field('step', 2, 'int64'))
  .add(new protobuf.Field('fileVersion', 3, 'string'))
  .add(new protobuf.Field('summary', 5, 'Summary'))
  .add(new protobuf.Field('sessionLog', 7, 'SessionLog'));
new protobuf.Root().define('tensorflow').add(Summary).add(SessionLog).add(Event);
