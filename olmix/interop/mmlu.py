"""MMLU: its 57 subjects in four groups (Hendrycks et al. 2021), and the mean score of a group.

A group is scored as if its questions were one test: subjects count by their number of test questions (method
section 9.5).
"""

from collections.abc import Iterable

QUESTIONS: dict[str, dict[str, int]] = {
    "mmlu_stem": {
        "mmlu_abstract_algebra": 100,
        "mmlu_astronomy": 152,
        "mmlu_college_biology": 144,
        "mmlu_college_chemistry": 100,
        "mmlu_college_computer_science": 100,
        "mmlu_college_mathematics": 100,
        "mmlu_college_physics": 102,
        "mmlu_computer_security": 100,
        "mmlu_conceptual_physics": 235,
        "mmlu_electrical_engineering": 145,
        "mmlu_elementary_mathematics": 378,
        "mmlu_high_school_biology": 310,
        "mmlu_high_school_chemistry": 203,
        "mmlu_high_school_computer_science": 100,
        "mmlu_high_school_mathematics": 270,
        "mmlu_high_school_physics": 151,
        "mmlu_high_school_statistics": 216,
        "mmlu_machine_learning": 112,
    },
    "mmlu_other": {
        "mmlu_anatomy": 135,
        "mmlu_business_ethics": 100,
        "mmlu_clinical_knowledge": 265,
        "mmlu_college_medicine": 173,
        "mmlu_global_facts": 100,
        "mmlu_human_aging": 223,
        "mmlu_management": 103,
        "mmlu_marketing": 234,
        "mmlu_medical_genetics": 100,
        "mmlu_miscellaneous": 783,
        "mmlu_nutrition": 306,
        "mmlu_professional_accounting": 282,
        "mmlu_professional_medicine": 272,
        "mmlu_virology": 166,
    },
    "mmlu_social_sciences": {
        "mmlu_econometrics": 114,
        "mmlu_high_school_geography": 198,
        "mmlu_high_school_government_and_politics": 193,
        "mmlu_high_school_macroeconomics": 390,
        "mmlu_high_school_microeconomics": 238,
        "mmlu_high_school_psychology": 545,
        "mmlu_human_sexuality": 131,
        "mmlu_professional_psychology": 612,
        "mmlu_public_relations": 110,
        "mmlu_security_studies": 245,
        "mmlu_sociology": 201,
        "mmlu_us_foreign_policy": 100,
    },
    "mmlu_humanities": {
        "mmlu_formal_logic": 126,
        "mmlu_high_school_european_history": 165,
        "mmlu_high_school_us_history": 204,
        "mmlu_high_school_world_history": 237,
        "mmlu_international_law": 121,
        "mmlu_jurisprudence": 108,
        "mmlu_logical_fallacies": 163,
        "mmlu_moral_disputes": 346,
        "mmlu_moral_scenarios": 895,
        "mmlu_philosophy": 311,
        "mmlu_prehistory": 324,
        "mmlu_professional_law": 1534,
        "mmlu_world_religions": 171,
    },
}
"""Test questions of each subject, by group."""


def group_subjects(columns: Iterable[str]) -> dict[str, dict[str, float]]:
    """Groups whose subjects are all there: the weight of each column, summing to 1.

    A column is known by what stands before its first colon (`mmlu_anatomy:rc::olmes`). Where subjects are scored in
    several ways, groups are told apart by what stands behind it. A table that has groups already has nothing to group.
    """
    by_way: dict[str, dict[str, str]] = {}
    for column in columns:
        if any(group in column for group in QUESTIONS):
            return {}
        name, _, way = column.partition(":")
        by_way.setdefault(way, {})[name] = column
    by_way = {way: names for way, names in by_way.items() if any(map(is_subject, names))}
    groups = {}
    for way, names in by_way.items():
        for group, questions in QUESTIONS.items():
            if questions.keys() <= names.keys():
                total = sum(questions.values())
                name = group if len(by_way) == 1 else f"{group}:{way}"
                groups[name] = {names[subject]: count / total for subject, count in questions.items()}
    return groups


def is_subject(column: str) -> bool:
    """Whether a column is an MMLU subject."""
    return any(column.partition(":")[0] in group for group in QUESTIONS.values())
