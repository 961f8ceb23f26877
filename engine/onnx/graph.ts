/** A builder for small ONNX graphs: inputs, weights and nodes in the order of use; values are named by strings. */
import { ATTRIBUTE_TYPE, ELEMENT_TYPE, encodeModel } from "./schema.ts";
import type { ElementType } from "./schema.ts";

/** A number is a fixed dimension, a string names one that is known only at run time. */
export type Dimension = number | string;

/** Name of a value (an edge) of the graph. */
export type Value = string;

type Attributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

/** Operators of ONNX Runtime itself live in this domain; see the "ContribOperators" page of its documentation. */
const CONTRIB = "com.microsoft";

/** IR and operator-set versions: old enough for every ONNX Runtime 1.17 and later, new enough for Split with sizes. */
const IR_VERSION = 9;
const OPSET = 18;

function typeProto(elementType: ElementType, shape: readonly Dimension[]): object {
  const dim = shape.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d }));
  return { tensorType: { elemType: ELEMENT_TYPE[elementType], shape: { dim } } };
}

function attributeProto(name: string, value: Attributes[string]): object {
  if (typeof value === "number") return { name, i: value, type: ATTRIBUTE_TYPE.int };
  if ("float" in value) return { name, f: value.float, type: ATTRIBUTE_TYPE.float };
  return { name, ints: [...value], type: ATTRIBUTE_TYPE.ints };
}

function bytesOf(data: Float32Array | Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export class GraphBuilder {
  readonly #nodes: object[] = [];
  readonly #initializers: object[] = [];
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];
  readonly #name: string;
  #values = 0;

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, shape: readonly Dimension[], elementType: ElementType = "float32"): Value {
    this.#inputs.push({ name, type: typeProto(elementType, shape) });
    return name;
  }

  output(name: string, value: Value, shape: readonly Dimension[]): void {
    this.#nodes.push({ input: [value], output: [name], opType: "Identity" });
    this.#outputs.push({ name, type: typeProto("float32", shape) });
  }

  /** A weight; its bytes are read when the graph is built, not copied before. */
  constant(shape: readonly number[], data: Float32Array | Int32Array | BigInt64Array): Value {
    const type = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "int64";
    const name = this.#fresh("constant");
    this.#initializers.push({ name, dims: [...shape], dataType: ELEMENT_TYPE[type], rawData: bytesOf(data) });
    return name;
  }

  /** One operator with one output. An empty string stands for an optional input that is left out. */
  node(opType: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.nodes(opType, inputs, 1, attributes)[0] as Value;
  }

  nodes(opType: string, inputs: readonly Value[], outputs: number, attributes: Attributes = {}): Value[] {
    const output = Array.from({ length: outputs }, () => this.#fresh(opType));
    const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
    this.#nodes.push({ input: [...inputs], output, opType, attribute });
    return output;
  }

  /** The same for an operator of ONNX Runtime's own domain. */
  contrib(opType: string, inputs: readonly Value[], attributes: Attributes = {}, outputs = 1): Value {
    const value = this.nodes(opType, inputs, outputs, attributes)[0] as Value;
    Object.assign(this.#nodes.at(-1) as object, { domain: CONTRIB });
    return value;
  }

  /** The serialised model. */
  build(): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: "fusecheck",
      opsetImport: [
        { domain: "", version: OPSET },
        { domain: CONTRIB, version: 1 },
      ],
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      },
    });
  }

  #fresh(what: string): Value {
    this.#values += 1;
    return `${what}_${this.#values}`;
  }
}
