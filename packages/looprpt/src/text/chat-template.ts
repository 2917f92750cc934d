/**
 * The chat template of a checkpoint: messages to the one string that the model was trained on.
 *
 * Templates are Jinja as transformers runs it (`jinja/`): `tools` and `documents` are None unless given. They come from
 * `chat_template.jinja`, else from `chat_template` in `tokenizer_config.json`. The string holds special tokens as text;
 * `Tokenizer.encode` turns them into ids.
 */
import { join } from 'node:path';
import { UserError } from '../base/user-error.js';
import { JinjaTemplate } from './jinja/template.js';
import { oneLine, readOptional, readTokenizerConfig } from './tokenizer-config.js';

/** `content` is emitted as the template says; ChatML templates emit it verbatim. */
export interface ChatMessage {
  role: string;
  content: string;
  [key: string]: unknown;
}

export interface RenderOptions {
  /** Open the assistant's turn at the end (default false). */
  addGenerationPrompt?: boolean | undefined;
  /** For templates with a thinking switch; left undefined for the others. */
  enableThinking?: boolean | undefined;
  /** Further variables of the template, for instance `tools`. */
  variables?: Record<string, unknown> | undefined;
}

/** ChatML without a default system turn; with `enable_thinking` the assistant's turn opens with `<think>`. */
export const CHATML_TEMPLATE = `{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\\n' -}}
  {%- if enable_thinking -%}
    {{- '<think>\\n' -}}
  {%- endif -%}
{%- endif -%}
`;

/** A model's chat template: from messages to the prompt that it was trained on. */
export class ChatTemplate {
  private constructor(
    /** Jinja, as it stands in the folder. */
    readonly source: string,
    private readonly template: JinjaTemplate,
    private readonly origin: string,
    private readonly tokens: Record<string, string>,
  ) {}

  /**
   * The template of a checkpoint or tokenizer folder; null when it has none.
   * @param name which one, where the folder names several
   * @throws UserError when it does not parse, or when there are several and none of that name
   */
  static async load(dir: string, name = 'default'): Promise<ChatTemplate | null> {
    const config = await readTokenizerConfig(dir);
    const tokens: Record<string, string> = {};
    for (const key of ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const) {
      const token = config[key];
      if (token != null) tokens[key] = token;
    }
    const file = join(dir, 'chat_template.jinja');
    const source = await readOptional(file);
    if (source !== null) return ChatTemplate.parse(source, file, tokens);

    const origin = join(dir, 'tokenizer_config.json');
    const given = config.chat_template;
    if (given == null) return null;
    if (typeof given === 'string') return ChatTemplate.parse(given, origin, tokens);
    const chosen = given.find((entry) => entry.name === name);
    if (chosen) return ChatTemplate.parse(chosen.template, origin, tokens);
    const names = given.map((entry) => entry.name).join(', ');
    throw new UserError(`${origin}: chat_template has no template named "${name}" (it has: ${names || 'none'})`);
  }

  /**
   * A template from its source.
   * @param origin where the source comes from, for messages
   * @param tokens `bos_token` and the like, as the template may name them
   */
  static async parse(source: string, origin: string, tokens: Record<string, string> = {}): Promise<ChatTemplate> {
    try {
      return new ChatTemplate(source, new JinjaTemplate(source), origin, tokens);
    } catch (error) {
      throw new UserError(`${origin}: the chat template does not parse (${oneLine(error)})`);
    }
  }

  /** @throws UserError when the template refuses the messages. */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    const thinking = options.enableThinking === undefined ? {} : { enable_thinking: options.enableThinking };
    const variables = {
      ...this.tokens,
      tools: null,
      documents: null,
      ...options.variables,
      ...thinking,
      messages,
      add_generation_prompt: options.addGenerationPrompt ?? false,
    };
    try {
      return this.template.render(variables);
    } catch (error) {
      throw new UserError(`${this.origin}: the chat template refuses these messages (${oneLine(error)})`);
    }
  }
}
