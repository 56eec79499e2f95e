"""What EDS costs, measured beside something plain: `python -m bench --help`.

Every figure worth keeping is a ratio of two things measured in one run on one
machine; absolute times say what this machine does today and nothing else.
Nothing here is a test: machines are noisy, and below 20 % there is no finding.
`docs/performance.md` has the figures, and says how each is to be read.
"""
