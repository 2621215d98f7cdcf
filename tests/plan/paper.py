"""The paper's five updates as domain sets: tokens and mixtures of the authors (method sections 9.4, 10.2 to 10.5)."""

from tests.plan.generations import leaf

DCLM = {  # topic: (tokens, weight at stage 0, weight at stage 1)
    "adult_content": (67_760_078_203, 0.008896055774, 0.006117020724),
    "art_and_design": (70_659_711_995, 0.017783666389, 0.012228234469),
    "crime_and_law": (170_130_914_779, 0.012074312486, 0.008302423185),
    "education_and_jobs": (184_690_792_861, 0.019490761144, 0.013402050625),
    "electronics_and_hardware": (80_168_541_745, 0.007379689224, 0.005074351271),
    "entertainment": (441_768_061_760, 0.047461629999, 0.032635111749),
    "fashion_and_beauty": (37_256_539_512, 0.001687968099, 0.001160664468),
    "finance_and_business": (310_313_927_581, 0.021735964671, 0.014945875985),
    "food_and_dining": (105_937_299_687, 0.008312693806, 0.005715894952),
    "games": (229_992_491_702, 0.028929781653, 0.019892419564),
    "health": (393_496_227_836, 0.110726194461, 0.076136486038),
    "history_and_geography": (161_049_719_459, 0.019755122074, 0.013583827958),
    "home_and_hobbies": (126_910_777_314, 0.012331045950, 0.008478955791),
    "industrial": (43_572_140_450, 0.017034440871, 0.011713059189),
    "literature": (364_834_344_848, 0.058743828354, 0.040392868996),
    "politics": (611_198_130_192, 0.025593032631, 0.017598036138),
    "religion": (277_776_929_208, 0.013191343317, 0.009070505233),
    "science_math_and_technology": (427_131_054_341, 0.194914683884, 0.134025369340),
    "social_life": (218_731_841_124, 0.024368362672, 0.016755940303),
    "software": (108_039_380_021, 0.005854489619, 0.004025608117),
    "software_development": (223_384_974_282, 0.317740619390, 0.218481763504),
    "sports_and_fitness": (196_759_999_355, 0.014312193910, 0.009841213790),
    "transportation": (90_793_306_202, 0.007719228899, 0.005307822292),
    "travel_and_tourism": (57_642_815_530, 0.003962890717, 0.002724924984),
}
STACK = {  # language: (tokens, weight at stage 1)
    "C": (4_735_074_247, 0.004136368154),
    "CSharp": (7_204_525_343, 0.020942646278),
    "Cpp": (12_530_445_761, 0.050121782964),
    "Go": (1_398_595_118, 0.005594380453),
    "Java": (31_347_725_888, 0.034419635874),
    "JavaScript": (8_886_972_357, 0.035547889417),
    "Markdown": (28_916_320_218, 0.040075294478),
    "PHP": (7_395_033_318, 0.013133281165),
    "Python": (18_017_832_560, 0.072071330223),
    "Ruby": (1_386_775_805, 0.005261941892),
    "Rust": (1_418_447_132, 0.005673788504),
    "SQL": (7_063_472_860, 0.007560894657),
    "Shell": (2_542_637_875, 0.010170551478),
    "Swift": (1_510_019_025, 0.006040076097),
    "TypeScript": (2_495_753_789, 0.001639709698),
}
SOURCES = {  # source: (tokens, weight after update 2 with the PDFs dropped)
    "algebraicstack": (11_818_955_329, 0.020601879389),
    "arxiv": (20_773_846_846, 0.016333752898),
    "finemath-3plus": (34_057_973_953, 0.139740179588),
    "pes2o": (58_552_461_187, 0.008151210926),
    "wikipedia": (10_067_758_073, 0.004557936342),
}
STAGE_1_SHARE = 0.810615040860  # of the weight after update 2 with the PDFs dropped
PDF_V2, PDF_V1 = 1_034_238_607_178, 1_106_352_902_235
PDF_TOPICS = {
    "adult": 303_073_226, "art_design": 6_833_185_034, "crime_law": 42_538_674_743, "education_jobs": 138_127_926_093,
    "entertainment": 6_069_602_783, "fashion_beauty": 557_917_820, "finance_business": 61_150_044_703,
    "food_dining": 2_322_982_204, "games": 2_486_095_532, "health": 108_215_933_374, "home_hobbies": 3_924_579_643,
    "industrial": 29_389_278_657, "literature": 31_886_391_090, "politics": 39_234_116_889, "religion": 24_729_732_953,
    "science_tech": 424_245_385_160, "software": 9_146_853_216, "software_dev": 41_841_278_724,
    "sports_fitness": 5_450_913_796, "transportation": 17_149_342_957, "travel": 2_102_425_717,
}  # fmt: skip

_dclm = [leaf(f"dclm:{name}") for name in DCLM]
_stack = [leaf(f"stack-edu:{name}") for name in STACK]
_sources = [leaf(name) for name in SOURCES]
_rest = [x for x in _sources if x.name != "algebraicstack"]
_parts = [leaf(f"s2pdf:{name}", partition_of="s2pdf") for name in PDF_TOPICS]

STAGES = [
    _dclm,
    [*_dclm, *_stack],
    [*_dclm, *_stack, *_sources, leaf("s2pdf", "v2")],
    [*_dclm, *_stack, *_sources, leaf("s2pdf", "v1")],
    [*_dclm, *_stack, *_rest, leaf("s2pdf", "v1")],
    [*_dclm, *_stack, *_rest, *_parts],
]
TOKENS = (
    {f"content of dclm:{name}": row[0] for name, row in DCLM.items()}
    | {f"content of stack-edu:{name}": row[0] for name, row in STACK.items()}
    | {f"content of {name}": row[0] for name, row in SOURCES.items()}
    | {f"content of s2pdf:{name}": tokens for name, tokens in PDF_TOPICS.items()}
    | {"v2": PDF_V2, "v1": PDF_V1}
)
STAGE_1 = {f"dclm:{name}": row[2] for name, row in DCLM.items()} | {
    f"stack-edu:{name}": row[1] for name, row in STACK.items()
}
"""Weights of the 39 leaves after update 1."""
WITHOUT_PDFS = {name: weight * STAGE_1_SHARE for name, weight in STAGE_1.items()} | {
    name: row[1] for name, row in SOURCES.items()
}
"""Weights of the 44 leaves beside the PDFs after update 2."""
PARAMS = {
    "target": {"tokens": 10**12, "repetition": 4},
    "proxy": {"model": "30M", "tokens": 3 * 10**9, "sequence_length": 2048, "batch_size": 64},
}
