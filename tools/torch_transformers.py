"""Models of transformers with small configurations and random weights, for :mod:`torch_models`."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers

SMALL: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "d_model": 32, "n_embd": 32, "dim": 32, "embedding_size": 32,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
    "num_encoder_layers": 2, "num_decoder_layers": 2, "num_attention_heads": 4, "n_head": 4, "n_heads": 4,
    "num_heads": 4, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8, "d_kv": 8, "intermediate_size": 48, "d_ff": 48, "ffn_dim": 48, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48, "hidden_dim": 48, "max_position_embeddings": 64, "n_positions": 64,
    "max_source_positions": 64, "max_target_positions": 64, "num_labels": 5, "type_vocab_size": 2, "image_size": 32,
    "patch_size": 8, "num_channels": 3, "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 1, "sep_token_id": 2, "cls_token_id": 1, "mask_token_id": 3, "num_experts": 4,
    "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "q_lora_rank": 8, "kv_lora_rank":
    8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8}
"""Values for those fields that a configuration has."""


def config(name: str, **more: Any) -> Any:
    cls = getattr(transformers, name)
    plain = cls()
    has = {*plain.to_dict(), *getattr(cls, "attribute_map", {})}
    bare = more.pop("bare", False)
    return cls(**{**{k: v for k, v in SMALL.items() if k in has and not bare}, **more})


class First(torch.nn.Module):
    """The first result of a model, whose arguments are named."""

    def __init__(self, inner: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.inner, self.names = inner, names

    def forward(self, *args: Any) -> Any:
        made = self.inner(**dict(zip(self.names, args, strict=True)))
        return made if isinstance(made, torch.Tensor) else made[0]


def text(batch: int, length: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(batch * 31 + length)
    return (torch.randint(5, 90, (batch, length), generator=g),)


def masked(batch: int, length: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(batch + length)
    ends = torch.randint(2, length + 1, (batch, 1), generator=g)
    return (*text(batch, length), (torch.arange(length) < ends).long())


def pairs(batch: int, length: int) -> tuple[Any, ...]:
    return (*masked(batch, length), *text(batch, 4))


def image(batch: int, size: int) -> tuple[Any, ...]:
    return (torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(batch)),)


def wave(batch: int, length: int) -> tuple[Any, ...]:
    return (torch.randn(batch, 400 + 160 * length, generator=torch.Generator().manual_seed(batch + length)),)


def spectrum(batch: int, length: int) -> tuple[Any, ...]:
    g = torch.Generator().manual_seed(batch)
    return torch.randn(batch, 16, 32, generator=g), *text(batch, length)


def seen(batch: int, length: int) -> tuple[Any, ...]:
    return (*masked(batch, length), *image(batch, 32))


KINDS: dict[str, tuple[Callable[..., Any], tuple[str, ...], str]] = {
    "text": (text, ("input_ids",), "length"),
    "masked": (masked, ("input_ids", "attention_mask"), "length"),
    "pairs": (pairs, ("input_ids", "attention_mask", "decoder_input_ids"), "length"),
    "image": (image, ("pixel_values",), "fixed"),
    "wave": (wave, ("input_values",), "length"),
    "spectrum": (spectrum, ("input_features", "decoder_input_ids"), "spectrum"),
    "seen": (seen, ("input_ids", "attention_mask", "pixel_values"), "length"),
}
"""Inputs, their names, and what of them is dynamic beside the batch."""

ENCODERS = """Bert DistilBert Roberta Albert Electra MobileBert Deberta DebertaV2 XLMRoberta Camembert Ernie ConvBert
    SqueezeBert MPNet RoFormer Nystromformer MegatronBert Funnel XLNet LayoutLM IBert FNet Mra Yoso
    Data2VecText BertGeneration RemBert XLM Flaubert ModernBert RobertaPreLayerNorm Esm BigBird Longformer
    Canine NomicBert EuroBert""".split()
DECODERS = """GPT2 GPTNeo GPTJ GPTNeoX OPT Llama Mistral Qwen2 Qwen3 Gemma Gemma2 Gemma3Text Phi Phi3 Bloom Falcon
    StableLm Starcoder2 Cohere Olmo Olmo2 CodeGen Mpt Persimmon Glm Granite BioGpt XGLM OpenAIGPT CTRL GPTBigCode
    Helium Nemotron SmolLM3 Exaone4 Mixtral Qwen2Moe OlmoE Ministral Cohere2 Glm4 Mamba Rwkv DeepseekV3 PhiMoE
    Jamba Bitnet Arcee Apertus""".split()
BOTH = """T5 Bart MBart Pegasus Marian Blenderbot BlenderbotSmall MT5 LongT5 UMT5 M2M100 ProphetNet PLBart
    NllbMoe LED SwitchTransformers BigBirdPegasus""".split()
IMAGES = """ViT DeiT Beit Data2VecVision Swin Swinv2 ConvNext ConvNextV2 ResNet RegNet MobileNetV1 MobileNetV2 MobileViT
    MobileViTV2 Segformer Dinov2 Dinov2WithRegisters PoolFormer Levit EfficientNet PvtV2 Pvt FocalNet
    Bit ViTMSN SwiftFormer GLPN Yolos TextNet DINOv3ViT IJepa
    HGNetV2 SiglipVision CLIPVision""".split()
MORE: dict[str, dict[str, Any]] = {
    "MobileBert": {"embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32,
                   "num_feedforward_networks": 2},
    "Funnel": {"block_sizes": [1, 1], "d_inner": 48, "d_head": 8, "num_decoder_layers": 1},
    "XLNet": {"d_inner": 48},
    "Deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8},
    "SqueezeBert": {"embedding_size": 32},
    "XLM": {"emb_dim": 32},
    "Flaubert": {"emb_dim": 32},
    "Nystromformer": {"num_landmarks": 4, "segment_means_seq_len": 4},
    "Esm": {"token_dropout": True},
    "ModernBert": {"global_attn_every_n_layers": 2, "local_attention": 8, "attn_implementation": "sdpa"},
    "Longformer": {"attention_window": 4},
    "BigBird": {"attention_type": "original_full"},
    "Canine": {"num_hidden_layers": 1, "local_transformer_stride": 4},
    "GPTNeo": {"attention_types": [[["global", "local"], 1]], "window_size": 4, "num_layers": 2},
    "GPTJ": {"rotary_dim": 4},
    "CodeGen": {"rotary_dim": 4},
    "OPT": {"word_embed_proj_dim": 32},
    "Mistral": {"sliding_window": 4},
    "Gemma2": {"sliding_window": 4, "query_pre_attn_scalar": 8},
    "Gemma3Text": {"sliding_window": 4, "query_pre_attn_scalar": 8, "layer_types": ["sliding_attention",
                   "full_attention"]},
    "Falcon": {"alibi": False},
    "Glm": {"partial_rotary_factor": 0.5},
    "Mamba": {"state_size": 4},
    "CTRL": {"dff": 48},
    "Rwkv": {"context_length": 64},
    "Qwen2": {"use_sliding_window": False},
    "DeepseekV3": {"n_routed_experts": 4, "n_group": 2, "topk_group": 1, "num_key_value_heads": 4,
                   "first_k_dense_replace": 1},
    "Qwen2Moe": {"shared_expert_intermediate_size": 16},
    "XGLM": {"attention_heads": 4},
    "Exaone4": {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    "Cohere2": {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    "LED": {"attention_window": 4, "max_encoder_position_embeddings": 64, "max_decoder_position_embeddings": 64},
    "LongT5": {"local_radius": 3},
    "ProphetNet": {"num_encoder_attention_heads": 4, "num_decoder_attention_heads": 4},
    "SwitchTransformers": {"num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1, "num_experts": 2},
    "Swin": {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "num_layers": 2, "num_attention_heads": [2, 4],
             "window_size": 2, "patch_size": 2},
    "Swinv2": {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "num_layers": 2, "num_attention_heads": [2,
               4], "window_size": 2, "patch_size": 2},
    "ConvNext": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "bare": True},
    "ConvNextV2": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "bare": True},
    "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    "RegNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 4},
    "MobileNetV1": {"depth_multiplier": 0.25},
    "MobileNetV2": {"depth_multiplier": 0.25},
    "MobileViT": {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32], "patch_size": 2,
                  "image_size": 64},
    "MobileViTV2": {"width_multiplier": 0.25, "image_size": 64, "patch_size": 2},
    "Segformer": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
                  "decoder_hidden_size": 16, "patch_sizes": [7, 3, 3, 3]},
    "PoolFormer": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "patch_size": 4},
    "Cvt": {"embed_dim": [8, 16, 24], "num_heads": [1, 2, 3], "depth": [1, 1, 1]},
    "Levit": {"hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 2, 2], "depths": [1, 1, 1], "key_dim": [8, 8,
              8], "image_size": 64, "patch_size": 16},
    "EfficientNet": {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320},
    "PvtV2": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
              "image_size": 64},
    "Pvt": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
            "image_size": 64},
    "FocalNet": {"embed_dim": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "focal_levels": [2, 2], "focal_windows":
                 [3, 3], "patch_size": 4},
    "Bit": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_groups": 2},
    "Hiera": {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "masked_unit_size": [4, 4], "patch_size": [7,
              7], "patch_stride": [4, 4], "image_size": [32, 32]},
    "SwiftFormer": {"depths": [1, 1, 1, 1], "embed_dims": [8, 16, 24, 32], "image_size": 64},
    "GLPN": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
             "decoder_hidden_size": 16},
    "DPT": {"backbone_out_indices": [0, 1, 1, 1], "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8,
            "num_hidden_layers": 2},
    "Yolos": {"num_detection_tokens": 4, "image_size": [32, 32]},
    "Timesformer": {"num_frames": 2},
}
HEADS = {"encoder": ("ForSequenceClassification", "ForMaskedLM", "Model"),
         "decoder": ("ForCausalLM", "LMHeadModel", "Model"), "both": ("ForConditionalGeneration", "MTModel", "Model"),
         "image": ("ForImageClassification", "ForSemanticSegmentation", "ForObjectDetection", "ForDepthEstimation",
                   "Model")}


def _made(stem: str, heads: str) -> Any:
    """The model of a family with the first head that it has."""
    found = next((getattr(transformers, stem + h) for h in HEADS[heads] if hasattr(transformers, stem + h)), None)
    if found is None:
        raise LookupError(stem)
    own = found.config_class.__name__
    more = dict(MORE.get(stem, {}))
    return found(config(own, **more))


def models() -> dict[str, Callable[[], tuple[Any, Callable[..., Any], str]]]:
    """Name -> a function that makes the module, its inputs by batch and length, and what is dynamic."""
    out: dict[str, Any] = {}

    def add(stem: str, kind: str, heads: str) -> None:
        has = any(hasattr(transformers, stem + h) for h in HEADS[heads])
        if has:
            out[f"transformers/{stem}"] = lambda: _entry(_made(stem, heads), kind)
    for stem in ENCODERS:
        add(stem, "masked", "encoder")
    for stem in DECODERS:
        add(stem, "masked" if stem not in ("Mamba", "Rwkv") else "text", "decoder")
    for stem in BOTH:
        add(stem, "pairs", "both")
    for stem in IMAGES:
        add(stem, "image", "image")
    for name, make in OTHERS.items():
        out[f"transformers/{name}"] = make
    return out


def _entry(model: Any, kind: str) -> tuple[Any, Callable[..., Any], str]:
    inputs, names, dynamic = KINDS[kind]
    wide = getattr(model.config, "image_size", None)
    if kind == "image":
        side = wide[0] if isinstance(wide, (list, tuple)) else wide if isinstance(wide, int) else 32
        return First(model, names), lambda batch, length: image(batch, side), dynamic
    return First(model, names), inputs, dynamic


def _audio(stem: str, head: str = "ForCTC", **more: Any) -> Any:
    cls = getattr(transformers, stem + head)
    how = {"conv_dim": [16, 16], "conv_kernel": [10, 3], "conv_stride": [5, 2], "num_feat_extract_layers": 2,
               "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "feat_extract_norm": "layer"}
    return _entry(cls(config(cls.config_class.__name__, **{**how, **more})), "wave")


def _clip(stem: str) -> Any:
    cls = getattr(transformers, stem + "Model")
    part = {k: v for k, v in SMALL.items() if k not in ("bos_token_id", "pad_token_id")}
    made = cls(cls.config_class(text_config={k: part[k] for k in (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "max_position_embeddings", "eos_token_id")}, vision_config={k: part[k] for k in (
            "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "image_size",
            "patch_size")}, projection_dim=16))
    return _entry(made, "seen")


def _whisper() -> Any:
    c = config("WhisperConfig", num_mel_bins=16, max_source_positions=16)
    return _entry(transformers.WhisperForConditionalGeneration(c), "spectrum")


def _detr(stem: str = "Detr") -> Any:
    backbone = config("ResNetConfig", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], out_features=["stage2"])
    cls = getattr(transformers, stem + "ForObjectDetection")
    c = config(stem + "Config", backbone_config=backbone, use_timm_backbone=False, backbone=None, num_queries=6,
               use_pretrained_backbone=False)
    return First(cls(c), ("pixel_values",)), lambda batch, length: image(batch, 64), "fixed"


OTHERS: dict[str, Any] = {
    "Wav2Vec2": lambda: _audio("Wav2Vec2"), "Hubert": lambda: _audio("Hubert"), "WavLM": lambda: _audio("WavLM"),
    "SEW": lambda: _audio("SEW", squeeze_factor=2), "UniSpeech": lambda: _audio("UniSpeech"),
    "Data2VecAudio": lambda: _audio("Data2VecAudio"), "UniSpeechSat": lambda: _audio("UniSpeechSat"),
    "Wav2Vec2Conformer": lambda: _audio("Wav2Vec2Conformer"), "Whisper": _whisper, "CLIP": lambda: _clip("CLIP"),
    "Siglip": lambda: _clip("Siglip"), "ChineseCLIP": lambda: _clip("ChineseCLIP"), "Detr": _detr,
    "ConditionalDetr": lambda: _detr("ConditionalDetr"), "TableTransformer": lambda: _detr("TableTransformer"),
    "AltCLIP": lambda: _clip("AltCLIP"), "CLIPSeg": lambda: _clip("CLIPSeg"),
}
