# %% [markdown]
# # A week of calls in Polars
#
# Run it as a program, `python week_in_polars.py week.png`, or cell by cell in an editor that knows `# %%`.
# It needs `pip install ".[parquet]" polars matplotlib` in a clone and the account in `TRTC_…`.

# %%
"""Read the calls of the last 7 days into a Polars frame, and plot when people call and whether they get through."""

import asyncio
import sys

import matplotlib as mpl
import polars as pl
import pyarrow as pa
from matplotlib import pyplot as plt

from trtc_records import CallRecordsClient
from trtc_records.export import gather_arrow


async def read_week() -> pa.Table:
    """Read every record that the service keeps into columns."""
    async with CallRecordsClient.from_env() as client:
        return await gather_arrow(client.iter_records())


# In a notebook, which runs an event loop already, this is `table = await read_week()`.
table = asyncio.run(read_week())
if not table.num_rows:
    sys.exit("There were no calls in the last 7 days.")
calls = pl.DataFrame(table).sort("start_time").with_columns(answered=pl.col("accept_time").is_not_null())

# %% The results of the calls
by_result = calls.group_by("call_result").agg(pl.len().alias("calls")).sort("calls")
print(by_result)

# %% The number of calls in each three hours
by_time = calls.group_by_dynamic("start_time", every="3h").agg(
    answered=pl.col("answered").sum(), unanswered=(~pl.col("answered")).sum()
)
print(by_time)

# %% The plot
mpl.use("agg")
mpl.rcParams["date.converter"] = "concise"
figure, (over_time, results) = plt.subplots(
    ncols=2, figsize=(12, 4), width_ratios=(3, 1), layout="constrained", gridspec_kw={"wspace": 0.06}
)
times, width = by_time["start_time"].to_numpy(), 3 / 24 * 0.9
over_time.bar(times, by_time["answered"], width, align="edge", color="#2a6fbb", label="answered")
over_time.bar(
    times, by_time["unanswered"], width, by_time["answered"], align="edge", color="#e0a33e", label="not answered"
)
over_time.margins(y=0.2)  # room for the legend
over_time.set(title=f"{len(calls):,} calls: how many started in each three hours (UTC)", ylabel="calls")
over_time.legend(frameon=False)
results.bar_label(results.barh(by_result["call_result"], by_result["calls"], color="#2a6fbb"), padding=3)
results.margins(x=0.2)
results.set(title="How they ended", xticks=[])
for axes in (over_time, results):
    axes.spines[["top", "right"]].set_visible(b=False)
results.spines["bottom"].set_visible(b=False)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "week.png", dpi=150)
